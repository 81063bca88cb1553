"""Attention bias from lattice offsets, by a small network over log-spaced coordinates."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

TABLE_SIDE = 23
CENTRE = 15
REACH = 7
LARGEST_BIAS = 16
LEAST_OFFSET, MOST_OFFSET = -REACH, TABLE_SIDE - 1 - REACH


class PositionBias(nn.Module):
    r"""Bias of an edge, one value a head, from its lattice offset (GLIC released model, section 6).

    .. math:: b_a(\delta) = 16\,\sigma\left(\mathrm{MLP}\left(
              \mathrm{sign}(\delta)\,\log_2(|\delta| + 1) / 3\right)_a\right)

    The table has 23 x 23 entries. An edge whose candidate lies ``(i - r, j - c)`` from its node on
    the cell's lattice reads flat entry ``(23 (i - r - 7) + (j - c - 7)) mod 529``: the index wraps,
    as in the released checkpoints. Offsets from -7 to 15 have an entry each, others have none.

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
        """``(..., 2)`` integer lattice offsets in -7..15 -> ``(..., heads)``.

        Raises:
            ValueError: see :meth:`entries`.
        """
        return self.table()[self.entries(offsets)]

    @staticmethod
    def entries(offsets: Tensor) -> Tensor:
        """Flat table entries of ``(..., 2)`` integer lattice offsets in -7..15, ``(...)`` int64.

        Raises:
            ValueError: offsets of another shape or dtype, or one that has no entry.
        """
        if offsets.shape[-1:] != (2,) or offsets.is_floating_point() or offsets.is_complex():
            raise ValueError(
                f"lattice offsets are whole numbers, (..., 2), got {offsets.dtype} {tuple(offsets.shape)}"
            )
        if not torch.compiler.is_exporting() and offsets.numel():  # an exported graph holds no such check
            refuse_far_offsets(*(int(value) for value in torch.aminmax(offsets)))
        return table_index(offsets)

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for module in self.mlp:
            if isinstance(module, nn.Linear):
                module.reset_parameters()


def refuse_far_offsets(least: int, most: int) -> None:
    """Raise a ValueError unless the table has entries for lattice offsets from least to most."""
    if least < LEAST_OFFSET or most > MOST_OFFSET:
        raise ValueError(
            f"the position bias knows lattice offsets from {LEAST_OFFSET} to {MOST_OFFSET}, "
            f"got {least} to {most}"
        )


def table_index(offsets: Tensor) -> Tensor:
    """Flat table entry of ``(..., 2)`` lattice offsets in -7..15, ``(...)`` int64."""
    row, column = offsets.long().unbind(-1)
    return (TABLE_SIDE * (row - REACH) + (column - REACH)) % TABLE_SIDE**2
