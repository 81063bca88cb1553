"""Gradients of a depthwise convolution in C, at its weight and bias."""

from __future__ import annotations

import torch
from torch import Tensor

from glic_pyg.nn.native.library import available, pointer, run

__all__ = ["can_sum_depthwise", "depthwise_backward"]

SIDES = (3, 5)
MOST_LANES = 16


def can_sum_depthwise(x: Tensor, weight: Tensor) -> bool:
    """Whether :func:`depthwise_backward` can do this: float32, on a CPU, a usual kernel, channels enough."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and weight.shape[-1] in SIDES
        and len(weight) >= MOST_LANES
        and available()
    )


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
