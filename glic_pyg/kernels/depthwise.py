"""Depthwise convolution in C, alone or with the gate behind it, and its gradients at weight and bias."""

from __future__ import annotations

import torch
from torch import Tensor

from glic_pyg.kernels.library import GROUP, LIMITS, available, run
from glic_pyg.kernels.operators import operator

__all__ = ["can_convolve", "depthwise", "depthwise_backward", "depthwise_gate"]

WORTH = 2**20
"""Products that are worth a call of another thread."""


def can_convolve(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    """Whether the functions below can do this: float32, on a CPU, a usual kernel, channels enough."""
    return (
        rows.device.type == weight.device.type == "cpu"
        and rows.dtype == weight.dtype == torch.float32
        and (bias is None or bias.dtype == torch.float32)
        and weight.shape[-1] in LIMITS["side"]
        and len(weight) in LIMITS["channels"]
        and available()
    )


def _height(x: Tensor, weight: Tensor, above: int, below: int) -> int:
    """Rows of the result."""
    return x.shape[1] + above + below - weight.shape[-1] + 1


def _fake(x: Tensor, weight: Tensor, bias: Tensor | None, above: int, below: int) -> Tensor:
    images, _, width, channels = x.shape
    return x.new_empty(images, _height(x, weight, above, below), width, channels)


def _fake_gate(u: Tensor, v: Tensor, weight_u: Tensor, weight_v: Tensor, above: int, below: int) -> Tensor:
    return _fake(u, weight_u, None, above, below)


def _fake_backward(x: Tensor, grad: Tensor, side: int, padding: int) -> tuple[Tensor, Tensor]:
    channels = x.shape[-1]
    return x.new_empty(channels, 1, side, side), x.new_empty(channels)


@operator("depthwise(Tensor x, Tensor weight, Tensor? bias, int above, int below) -> Tensor", _fake)
def depthwise(x: Tensor, weight: Tensor, bias: Tensor | None, above: int, below: int) -> Tensor:
    """Convolve ``(B, H, W, C)`` rows with a weight ``(C, 1, side, side)``, without gradient.

    x is zero beyond its border: in width, and in height for the ``above`` and ``below`` rows of the halo that
    are padding. A value is computed by one thread: the result does not depend on the number of threads.

    Returns:
        ``(B, H + above + below - side + 1, W, C)``, contiguous.
    """
    return _convolve(x, None, weight, None, bias, above, below)


@operator(
    "depthwise_gate(Tensor u, Tensor v, Tensor weight_u, Tensor weight_v, int above, int below) -> Tensor",
    _fake_gate,
)
def depthwise_gate(
    u: Tensor, v: Tensor, weight_u: Tensor, weight_v: Tensor, above: int, below: int
) -> Tensor:
    """``GELU(depthwise(u)) depthwise(v)`` in one pass, each with its own weight and without a bias."""
    return _convolve(u, v.contiguous(), weight_u, _taps(weight_v), None, above, below)


def _convolve(
    u: Tensor,
    v: Tensor | None,
    weight: Tensor,
    taps_v: Tensor | None,
    bias: Tensor | None,
    above: int,
    below: int,
) -> Tensor:
    out = _fake(u, weight, None, above, below)
    row = out.shape[2] * weight.numel() * (1 if v is None else 2)
    arrays = u.contiguous(), v, _taps(weight), taps_v, bias, out
    run("depthwise", *arrays, grain=_pieces(row), above=above)
    return out


def _pieces(products: int) -> int:
    """How many pieces of so many products are worth a call."""
    return max(1, WORTH // max(1, products))


def _taps(weight: Tensor) -> Tensor:
    """``(C, 1, side, side)`` -> ``(side, side, C)``."""
    return weight[:, 0].permute(1, 2, 0).contiguous()


@operator(
    "depthwise_backward(Tensor x, Tensor grad, int side, int padding) -> (Tensor, Tensor)", _fake_backward
)
def depthwise_backward(x: Tensor, grad: Tensor, side: int, padding: int) -> tuple[Tensor, Tensor]:
    """Gradients at the weight ``(C, 1, side, side)`` and at the bias ``(C,)``.

    A group of channels is summed up by one thread: the result does not depend on the number of threads.

    Args:
        x: ``(B, H + side - 1 - 2 padding, W, C)`` rows, zero beyond their border.
        grad: ``(B, H, W, C)``, at the result.
        side: of the kernel.
        padding: rows of the halo, above as below, that x lacks; in width it lacks all.
    """
    channels = x.shape[-1]
    weight, bias = x.new_empty(side, side, channels), x.new_empty(channels)
    if x.shape[1] != grad.shape[1] + side - 1 - 2 * padding:
        raise ValueError(f"{x.shape[1]} rows do not give {grad.shape[1]} with {padding} padding on each side")
    group = grad.numel() // channels * side**2 * GROUP
    arrays = x.contiguous(), grad.contiguous(), weight, bias
    run("depthwise_backward", *arrays, grain=_pieces(group), padding=padding)
    return weight.permute(2, 0, 1)[:, None].contiguous(), bias
