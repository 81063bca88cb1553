"""Depthwise convolution in C, alone or with the gate behind it, and its gradients at weight and bias."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from glic_pyg.nn.native.library import available, pointer, run

__all__ = ["can_convolve", "depthwise", "depthwise_backward", "depthwise_gate"]

SIDES = (3, 5)
MOST_LANES = 16


def can_convolve(rows: Tensor, weight: Tensor) -> bool:
    """Whether the functions below can do this: float32, on a CPU, a usual kernel, channels enough."""
    return (
        rows.device.type == "cpu"
        and rows.dtype == weight.dtype == torch.float32
        and weight.shape[-1] in SIDES
        and len(weight) >= MOST_LANES
        and available()
    )


def depthwise(x: Tensor, weight: Tensor, bias: Tensor | None, missing: tuple[int, int]) -> Tensor:
    """Convolve ``(B, H, W, C)`` rows with a weight ``(C, 1, side, side)``, without gradient.

    x is zero beyond its border: in width, and in height for the ``(above, below)`` rows of the halo that are
    missing. A value is computed by one thread: the result does not depend on the number of threads.

    Returns:
        ``(B, H + above + below - side + 1, W, C)``, contiguous.
    """
    return _convolve(x, None, weight, None, bias, missing)


def depthwise_gate(u: Tensor, v: Tensor, weights: tuple[Tensor, Tensor], missing: tuple[int, int]) -> Tensor:
    """``GELU(depthwise(u)) depthwise(v)`` in one pass, each with its own weight and without a bias."""
    return _convolve(u, v, *weights, None, missing)


def _convolve(
    u: Tensor,
    v: Tensor | None,
    weight_u: Tensor,
    weight_v: Tensor | None,
    bias: Tensor | None,
    missing: tuple[int, int],
) -> Tensor:
    images, rows, width, channels = u.shape
    side = weight_u.shape[-1]
    height = rows + sum(missing) - side + 1
    u, v = u.contiguous(), None if v is None else v.contiguous()
    taps = [None if w is None else w.detach().flatten(1).T.contiguous() for w in (weight_u, weight_v)]
    out = u.new_empty(images, height, width, channels)
    places = [ctypes.c_void_p() if t is None else pointer(t) for t in (u, v, *taps, bias, out)]
    run("depthwise", places, images * height, [rows, missing[0], height, width, channels, side])
    return out


def depthwise_backward(x: Tensor, grad: Tensor, side: int, missing: int) -> tuple[Tensor, Tensor]:
    """Gradients at the weight ``(C, 1, side, side)`` and at the bias ``(C,)``.

    A group of channels is summed up by one thread: the result does not depend on the number of threads.

    Args:
        x: ``(B, H + side - 1 - 2 missing, W, C)`` contiguous rows, zero beyond their border.
        grad: ``(B, H, W, C)`` contiguous, at the result.
        side: of the kernel.
        missing: rows of the halo, above as below, that x lacks; in width it lacks all.
    """
    channels = x.shape[-1]
    weight, bias = x.new_empty(side, side, channels), x.new_empty(channels)
    groups = -(-channels // MOST_LANES)
    run(
        "depthwise_backward",
        [pointer(t) for t in (x, grad, weight, bias)],
        groups,
        [*grad.shape, side, missing],
    )
    return weight.permute(2, 0, 1)[:, None].contiguous(), bias
