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


def halves(rows: Tensor, projection: Pointwise) -> tuple[Tensor, Tensor]:
    """The two halves of the channels of a projection without bias, as tensors of their own.

    Two products that give contiguous halves, and element-wise work on those, take half the time of one
    product whose halves are views.
    """
    first, second = projection.weight.flatten(1).chunk(2)
    return F.linear(rows, first), F.linear(rows, second)


def add_linear(
    residual: Tensor, rows: Tensor, linear: nn.Linear | nn.Conv2d, out: Tensor | None = None
) -> Tensor:
    """``residual + linear(rows)`` in the dtype of ``rows``; ``(..., C_out)`` and ``(..., C_in)``.

    ``out``, contiguous, may take the result when no gradient is wanted.
    """
    weight = linear.weight.flatten(1)
    if out is None:
        return F.linear(rows, weight, linear.bias).add_(residual)
    product, flat, weight = out.view(-1, out.shape[-1]), rows.flatten(0, -2), weight.to(rows.dtype)
    if linear.bias is None:
        torch.mm(flat, weight.T, out=product)
    else:
        torch.addmm(linear.bias.to(rows.dtype), flat, weight.T, out=product)
    return out.add_(residual)
