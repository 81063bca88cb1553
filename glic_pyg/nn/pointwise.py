"""Pointwise layers on channels-last rows: 1x1 convolutions as matrix products, and fixed factors per channel.

Modules take and return ``(B, C, H, W)`` tensors in channels-last memory; inside they work on the
``(B, H, W, C)`` view, which costs nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rows_of(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` -> contiguous ``(B, H, W, C)``; a view if ``x`` is channels-last."""
    return x.permute(0, 2, 3, 1).contiguous()


def map_of(rows: Tensor) -> Tensor:
    """``(B, H, W, C)`` -> ``(B, C, H, W)`` in channels-last memory; always a view."""
    return rows.permute(0, 3, 1, 2)


class Pointwise(nn.Conv2d):
    """1x1 convolution of ``(..., C)`` rows; its weight keeps the shape of a convolution."""

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, rows: Tensor) -> Tensor:
        """``(..., C_in)`` -> ``(..., C_out)``."""
        return F.linear(rows, self.weight.flatten(1), self.bias)


def halves(rows: Tensor, projection: Pointwise) -> tuple[Tensor, Tensor]:
    """Apply a projection without bias and split its channels into two contiguous halves.

    Two products that give contiguous halves, and element-wise work on those, take half the time of one
    product whose halves are views.
    """
    first, second = projection.weight.flatten(1).chunk(2)
    return F.linear(rows, first), F.linear(rows, second)


def add_linear(
    residual: Tensor, rows: Tensor, linear: nn.Linear | nn.Conv2d, out: Tensor | None = None
) -> Tensor:
    """Compute ``residual + linear(rows)`` in the dtype of ``rows``; ``(..., C_out)`` and ``(..., C_in)``.

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


class Rescale(nn.Module):
    r"""Multiply each channel by a fixed factor, stored with the weights and not trained.

    .. math:: x'_c = 2^{e_c} x_c

    Latents of a transform codec have standard deviations from 30 (the mean of a block) to 0.3 (its finest
    detail). A step of Adam moves all weights of a layer by about the same amount, so what reads or predicts
    such channels unscaled learns the large ones too fast and the small ones too slowly. Factors are powers of
    two, hence exact in every floating-point format: a file decodes alike whatever
    the precision of the layers around.

    Args:
        channels: C.

    Shapes: ``(B, C, H, W)`` -> ``(B, C, H, W)``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor.to(x.dtype)[:, None, None]

    @torch.no_grad()
    def set(self, factor: Tensor) -> None:
        """Set the factors to the nearest powers of two of ``(C,)`` positive factors."""
        self.factor.copy_(factor.log2().round().exp2())

    def extra_repr(self) -> str:
        return f"{len(self.factor)}"
