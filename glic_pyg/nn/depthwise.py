"""Depthwise convolution of rows of channels, with a backward pass that is fast on CPUs."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from glic_pyg.nn import native
from glic_pyg.nn.channels_last import map_of, rows_of


def depthwise(rows: Tensor, weight: Tensor, bias: Tensor | None, missing: tuple[int, int]) -> Tensor:
    """Apply a depthwise convolution, weight ``(C, 1, k, k)``, to ``(B, H, W, C)`` rows.

    The map is zero-padded in width as usual, in height only by the ``(top, bottom)`` rows that are
    ``missing``: the rest of the halo is expected in ``rows`` (see :mod:`glic_pyg.nn.strips`).

    Returns:
        ``(B, H + top + bottom - 2 (k // 2), W, C)``.
    """
    above, below = missing
    in_kernel = above if above == below and rows.dtype != torch.float64 else 0
    padded = rows if in_kernel or not any(missing) else F.pad(rows, (0, 0, 0, 0, *missing))
    if torch.is_autocast_enabled(rows.device.type):
        dtype = torch.get_autocast_dtype(rows.device.type)
        padded, weight, bias = padded.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    if rows.dtype == torch.float64:
        return _by_shifts(padded, weight, bias)
    return _Depthwise.apply(map_of(padded), weight, bias, in_kernel).permute(0, 2, 3, 1)


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
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, missing: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.missing = missing
        return F.conv2d(x, weight, bias, padding=(missing, weight.shape[-1] // 2), groups=weight.shape[0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        side = weight.shape[-1]
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad_x = F.conv2d(
            grad, weight.flip(2, 3), padding=(side - 1 - ctx.missing, side // 2), groups=len(weight)
        )
        grad_weight, grad_bias = _weight_gradients(grad, x, weight, ctx.missing)
        return grad_x, grad_weight, grad_bias if ctx.needs_input_grad[2] else None, None


def _weight_gradients(grad: Tensor, x: Tensor, weight: Tensor, missing: int) -> tuple[Tensor, Tensor]:
    """Gradients at the weight and at the bias from the one at the result; maps in channels-last memory."""
    dtype = torch.float32 if x.device.type == "cpu" else x.dtype
    grad, x, side = grad.to(dtype), x.to(dtype), weight.shape[-1]
    if native.can_sum_depthwise(x, weight):
        grad_weight, grad_bias = native.depthwise_backward(rows_of(x), rows_of(grad), side, missing)
    else:
        convolution = [1, 1], [missing, side // 2], [1, 1], False, [0, 0], len(weight)
        _, grad_weight, _ = torch.ops.aten.convolution_backward(
            grad, x, weight.to(dtype), None, *convolution, [False, True, False]
        )
        grad_bias = grad.sum((0, 2, 3))
    return grad_weight.to(weight.dtype), grad_bias.to(weight.dtype)
