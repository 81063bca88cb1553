"""Depthwise convolution on channels-last rows: in C where it can be, otherwise by torch operators."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from glic_pyg import kernels
from glic_pyg.nn.pointwise import map_of, rows_of


def depthwise(rows: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
    """Apply a depthwise convolution, weight ``(C, 1, k, k)``, to ``(B, H, W, C)`` rows.

    The map is zero-padded in width as usual, in height by the rows ``(top, bottom)`` of ``padding`` only: the
    rest of the halo is expected in ``rows`` (see :mod:`glic_pyg.nn.tiling`).

    Returns:
        ``(B, H + top + bottom - 2 (k // 2), W, C)``.
    """
    if torch.is_autocast_enabled(rows.device.type):
        dtype = torch.get_autocast_dtype(rows.device.type)
        rows, weight, bias = rows.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    if rows.dtype == torch.float64:
        return _by_shifts(F.pad(rows, (0, 0, 0, 0, *padding)), weight, bias)
    if not torch.is_grad_enabled():
        return _convolve(rows, weight, bias, padding)
    above, below = padding
    if above != below:
        rows, above = F.pad(rows, (0, 0, 0, 0, *padding)), 0
    return _Depthwise.apply(rows, weight, bias, above)


def _convolve(rows: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
    """:func:`depthwise` without gradient, except in float64."""
    if kernels.can_convolve(rows, weight, bias):
        return kernels.depthwise(rows, weight, bias, *padding)
    above, below = padding
    if above != below:
        rows, above = F.pad(rows, (0, 0, 0, 0, *padding)), 0
    both = above, weight.shape[-1] // 2
    return rows_of(F.conv2d(map_of(rows), weight, bias, padding=both, groups=len(weight)))


def _by_shifts(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Sum of k x k shifted products: float64 has no depthwise kernel of its own on CPUs."""
    side = weight.shape[-1]
    height, width = rows.shape[1] - side + 1, rows.shape[2]
    rows = F.pad(rows, (0, 0, side // 2, side // 2))
    shifts = [rows[:, i : i + height, j : j + width] for i in range(side) for j in range(side)]
    taps = weight.flatten(1).T.contiguous()
    out = shifts[0] * taps[0] if bias is None else torch.addcmul(bias, shifts[0], taps[0])
    for shift, tap in zip(shifts[1:], taps[1:], strict=True):
        out.addcmul_(shift, tap)
    return out


class _Depthwise(torch.autograd.Function):
    """Depthwise convolution; on CPUs the gradients of its weights are taken in float32."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
        ctx.save_for_backward(rows, weight)
        ctx.padding = padding
        return _convolve(rows, weight, bias, (padding, padding))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        beyond = weight.shape[-1] - 1 - ctx.padding
        grad = grad.contiguous()
        grad_rows = _convolve(grad, weight.flip(2, 3), None, (beyond, beyond))
        if not any(ctx.needs_input_grad[1:3]):
            return grad_rows, None, None, None
        grad_weight, grad_bias = _weight_gradients(grad, rows, weight, ctx.padding)
        return grad_rows, grad_weight, grad_bias if ctx.needs_input_grad[2] else None, None


def _weight_gradients(grad: Tensor, rows: Tensor, weight: Tensor, padding: int) -> tuple[Tensor, Tensor]:
    """Gradients at the weight and at the bias from the one at the result."""
    dtype = torch.float32 if rows.device.type == "cpu" else rows.dtype
    grad, rows, side = grad.to(dtype), rows.to(dtype), weight.shape[-1]
    if kernels.can_convolve(rows, weight.to(dtype)):
        grad_weight, grad_bias = kernels.depthwise_backward(rows, grad, side, padding)
    else:
        convolution = [1, 1], [padding, side // 2], [1, 1], False, [0, 0], len(weight)
        _, grad_weight, _ = torch.ops.aten.convolution_backward(
            map_of(grad), map_of(rows), weight.to(dtype), None, *convolution, [False, True, False]
        )
        grad_bias = grad.sum((0, 1, 2))
    return grad_weight.to(weight.dtype), grad_bias.to(weight.dtype)
