"""Complexity of a feature map around each node, the score that shares out the edge budget.

A score has two parts, a *detector* that answers per channel and a *pooling* over channels:
``complexity(x) = pool(blur(detector(x)))`` (GLIC section 4; the paper's ablation table).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Detector = Literal["sobel", "entropy", "residual", "none"]
Pooling = Literal["rms", "mean"]

BLUR_SIDE = 0.45783336177161427  # exp(-1 / (2 * 0.8^2)): side tap of the 3-tap Gaussian over its centre tap
BLUR_SUM = 1 / (1 + 2 * BLUR_SIDE) ** 2  # what makes its 9 taps sum to 1
ELEMENTS_AT_ONCE = 2**17  # channels are taken so many at a time that they stay in the cache
ENTROPY_LEVELS = 8


@torch.no_grad()
def complexity_map(x: Tensor, detector: Detector = "sobel", pooling: Pooling = "rms") -> Tensor:
    r"""Complexity of every node.

    .. math:: c = \sqrt{\tfrac1C \sum_k \left(G_{0.8} * |\nabla x_k|\right)^2}

    for the released choice, Sobel and RMS. Channels are processed a few at a time, so the only
    full-sized tensor is the result.

    Args:
        x: ``(B, C, H, W)`` feature map, float32 or float64.
        detector: ``sobel`` gradient magnitude; ``entropy`` of the 5x5 neighbourhood's histogram,
            in bits; ``residual`` of halving and doubling the resolution; ``none`` for a uniform score.
        pooling: ``rms`` or ``mean`` over channels.

    Returns:
        ``(B, H, W)``, the dtype of ``x``, not negative; not finite where ``x`` is not.

    Raises:
        ValueError: if ``x`` is no such map, or the detector or the pooling is unknown.
    """
    check_map(x)
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"complexity is measured on float32 or float64 maps, got {x.dtype}")
    if detector == "none":
        return x.new_ones(x.shape[0], *x.shape[2:])
    if detector not in _DETECTORS:
        raise ValueError(f"unknown complexity detector {detector!r}: use one of {[*_DETECTORS, 'none']}")
    if pooling not in ("rms", "mean"):
        raise ValueError(f"unknown pooling {pooling!r}: use 'rms' or 'mean'")
    pooled = torch.stack([_pool(image, _DETECTORS[detector], pooling) for image in x])
    pooled /= x.shape[1]
    return (pooled.sqrt_() if pooling == "rms" else pooled) * BLUR_SUM


def check_map(x: Tensor) -> None:
    """Raise a ValueError unless ``x`` is a ``(B, C, H, W)`` map of at least one real number."""
    if x.dim() != 4:
        raise ValueError(f"a feature map has shape (B, C, H, W), got {tuple(x.shape)}")
    if not x.numel():
        raise ValueError(f"a feature map needs at least one value, got shape {tuple(x.shape)}")
    if x.is_complex():
        raise ValueError(f"a feature map holds real numbers, got {x.dtype}")


def _pool(image: Tensor, detector: Callable[[Tensor], Tensor], pooling: Pooling) -> Tensor:
    """Sum over the channels of ``(C, H, W)`` of the blurred responses or their squares.

    Channels are added one by one and every operation rounds once, so that the result does not
    depend on how torch shares the work between threads.
    """
    total = image.new_zeros(image.shape[1:])
    image = image.contiguous()
    at_once = max(1, ELEMENTS_AT_ONCE // total.numel())
    for channels in image.split(at_once):
        response = _blur(detector(channels[None])[0])
        if pooling == "rms":
            response.square_()
        for channel in response:
            total += channel
    return total


def _sobel(x: Tensor) -> Tensor:
    """Gradient magnitude, kernels [1 2 1] x [1 0 -1] / 4 on a replicate-padded map."""
    p = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across = p[..., :-2] - p[..., 2:]
    down = p[..., :-2, :] - p[..., 2:, :]
    gx = across[..., :-2, :].add(across[..., 1:-1, :], alpha=2).add_(across[..., 2:, :])
    gy = down[..., :-2].add(down[..., 1:-1], alpha=2).add_(down[..., 2:])
    return gx.square_().add_(gy.square_()).div_(16).add_(1e-9).sqrt_()


def _residual(x: Tensor) -> Tensor:
    """|x - upsample(downsample(x))| with 2x2 averaging and bilinear interpolation."""
    half = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
    return (x - F.interpolate(half, size=x.shape[2:], mode="bilinear", align_corners=False)).abs()


def _entropy(x: Tensor) -> Tensor:
    """Entropy in bits of the 5x5 neighbourhood, values in 8 equal bins of the channel's range."""
    lowest, highest = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    span = (highest - lowest).clamp_min(1e-12)
    level = ((x - lowest) / span * ENTROPY_LEVELS).floor_().clamp_max_(ENTROPY_LEVELS - 1)
    entropy = torch.zeros_like(x)
    for bin_index in range(ENTROPY_LEVELS):
        hit = F.pad((level == bin_index).to(x.dtype), (2, 2, 2, 2), mode="replicate")
        share = F.avg_pool2d(hit, 5, stride=1)
        entropy -= torch.special.xlogy(share, share)
    return entropy / math.log(2)


def _blur(x: Tensor) -> Tensor:
    """Separable 3-tap Gaussian on a replicate-padded ``(C, H, W)``, centre tap 1: BLUR_SUM is left out."""
    p = F.pad(x, (1, 1, 1, 1), mode="replicate")
    rows = (p[:, :-2] + p[:, 2:]).mul_(BLUR_SIDE).add_(p[:, 1:-1])
    return (rows[..., :-2] + rows[..., 2:]).mul_(BLUR_SIDE).add_(rows[..., 1:-1])


_DETECTORS = {"sobel": _sobel, "residual": _residual, "entropy": _entropy}
