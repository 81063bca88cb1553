"""1x1 convolutions as matrix products on rows of channels."""

from __future__ import annotations

import torch
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
    return F.gelu(u) * v if torch.is_grad_enabled() else F.gelu(u).mul_(v)


def add_linear(
    residual: Tensor, rows: Tensor, linear: nn.Linear | nn.Conv2d, out: Tensor | None = None
) -> Tensor:
    """``residual + linear(rows)`` in one pass over the result; ``(..., C_out)`` and ``(..., C_in)``.

    ``out``, contiguous, may take the result when no gradient is wanted.
    """
    dtype = rows.dtype
    if linear.bias is not None:
        residual = residual + linear.bias
    flat = residual.to(dtype).flatten(0, -2), rows.flatten(0, -2), linear.weight.flatten(1).to(dtype).T
    if out is None:
        return torch.addmm(*flat).view(residual.shape)
    torch.addmm(*flat, out=out.view(-1, out.shape[-1]))
    return out
