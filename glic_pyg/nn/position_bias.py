"""Attention bias from lattice offsets, by a small network over log-spaced coordinates."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

TABLE_SIDE = 23
CENTRE = 15
REACH = 7
LARGEST_BIAS = 16


class PositionBias(nn.Module):
    r"""Bias of an edge, one value a head, from its lattice offset (GLIC released model, section 6).

    .. math:: b_a(\delta) = 16\,\sigma\left(\mathrm{MLP}\left(
              \mathrm{sign}(\delta)\,\log_2(|\delta| + 1) / 3\right)_a\right)

    The table has 23 x 23 entries. An edge whose candidate lies ``(i - r, j - c)`` from its node on
    the cell's lattice reads flat entry ``(23 (i - r - 7) + (j - c - 7)) mod 529``: the index wraps,
    as in the released checkpoints.

    Args:
        heads: number of attention heads.
        hidden: width of the network.
    """

    coordinates: Tensor

    def __init__(self, heads: int, hidden: int = 512) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, heads, bias=False))
        axis = (torch.arange(TABLE_SIDE, dtype=torch.float64) - CENTRE) / REACH * 8
        axis = axis.sign() * torch.log2(axis.abs() + 1) / math.log2(8)
        self.register_buffer("coordinates", torch.cartesian_prod(axis, axis).float(), persistent=False)

    def table(self) -> Tensor:
        """All entries, ``(529, heads)``."""
        coordinates = self.coordinates.to(next(self.mlp.parameters()).dtype)
        return LARGEST_BIAS * torch.sigmoid(self.mlp(coordinates))

    def forward(self, offsets: Tensor) -> Tensor:
        """``(..., 2)`` int64 lattice offsets in -7..15 -> ``(..., heads)``."""
        return self.table()[table_index(offsets)]


def table_index(offsets: Tensor) -> Tensor:
    """Flat table entry of ``(..., 2)`` lattice offsets, ``(...)`` int64."""
    row, column = offsets.unbind(-1)
    return (TABLE_SIDE * (row - REACH) + (column - REACH)) % TABLE_SIDE**2
