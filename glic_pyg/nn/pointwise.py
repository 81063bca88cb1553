"""1x1 convolutions as matrix products on rows of channels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Pointwise(nn.Conv2d):
    """A 1x1 convolution that works on ``(..., C)`` rows; its weight keeps the convolution's shape."""

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, rows: Tensor) -> Tensor:
        """``(..., C_in)`` -> ``(..., C_out)``."""
        return F.linear(rows, self.weight.flatten(1), self.bias)


def gate(hidden: Tensor) -> Tensor:
    """GELU of the first half of the channels times the second half (exact GELU)."""
    u, v = hidden.chunk(2, dim=-1)
    return F.gelu(u) * v
