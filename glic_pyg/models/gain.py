"""One model for every rate: gains on the latent channels, interpolated between quality levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

__all__ = ["BEST_QUALITY", "Gain"]

BEST_QUALITY = 100.0
"""Quality of the last level; that of the first is 0."""


class Gain(nn.Module):
    r"""Scales y before its entropy model, and y_hat after it, channel by channel.

    Rounding has a fixed step of 1, so the gain of a channel is the inverse of its quantiser's step. A
    level l has a vector of gains and one of inverse gains, learned apart; between two levels both are
    interpolated geometrically (Cui et al., "Asymmetric Gained Deep Image Compression With Continuous Rate
    Adaptation", CVPR 2021, equations 4 and 9):

    .. math:: g(q) = g_l^{1 - t} \, g_{l+1}^{t}, \qquad l + t = q (L - 1) / 100

    The entropy model sees scaled latents only and does not know of q: what it computes, and with it whether
    a file decodes, depends on integers alone.

    The gains start as the high-rate theory has them, :math:`\sqrt{\lambda_l / \lambda_\mathrm{mid}}`, alike
    for all channels, with the geometric mean of first and last level in the middle.

    Args:
        levels: λ of every level, rising, two or more.
        channels: M, the channels of y.

    Raises:
        ValueError: fewer than two levels, or they do not rise from above 0.
    """

    def __init__(self, levels: Sequence[float], channels: int) -> None:
        super().__init__()
        if len(levels) < 2 or levels[0] <= 0 or any(low >= high for low, high in pairwise(levels)):
            raise ValueError(f"levels are two or more rising numbers above 0, got {list(levels)}.")
        self.levels = tuple(levels)
        self.middle = math.sqrt(levels[0] * levels[-1])
        """λ at which a gain of 1 starts."""
        start = torch.tensor(levels).div(self.middle).log().div(2)
        self.log_gain = nn.Parameter(start[:, None].repeat(1, channels))
        self.log_inverse_gain = nn.Parameter(-start[:, None].repeat(1, channels))

    def scale(self, y: Tensor, quality: float | Tensor) -> Tensor:
        """Latents as the entropy model of this package's files sees them.

        Args:
            y: (B, M, h, w), any float dtype.
            quality: 0 to 100, a number for all images or one for each, (B,).

        Returns:
            The shape and dtype of y.
        """
        return y * _between(self.log_gain, quality, y).exp()

    def unscale(self, y_hat: Tensor, quality: float | Tensor) -> Tensor:
        """What g_s reads; arguments as those of :meth:`scale`."""
        return y_hat * _between(self.log_inverse_gain, quality, y_hat).exp()

    def lmbda(self, quality: Tensor) -> Tensor:
        """λ that a quality stands for, interpolated like the gains, float32 of the shape of ``quality``."""
        log_levels = torch.tensor(self.levels, dtype=torch.float32, device=quality.device).log()[:, None]
        return _interpolated(log_levels, quality.flatten()).exp().view(quality.shape)


def _between(levels: Tensor, quality: float | Tensor, like: Tensor) -> Tensor:
    """Rows of (L, M) ``levels`` at one quality or several, (1 or B, M, 1, 1), of the dtype of ``like``."""
    qualities = torch.as_tensor(quality, dtype=torch.float32, device=like.device).view(-1)
    return _interpolated(levels, qualities)[..., None, None].to(like.dtype)


def _interpolated(levels: Tensor, quality: Tensor) -> Tensor:
    """Linear between the rows of (L, C) ``levels`` at (B,) qualities, which are cut to 0...100."""
    last = len(levels) - 1
    position = quality.clamp(0, BEST_QUALITY) * (last / BEST_QUALITY)
    below = position.long().clamp(max=last - 1)
    return torch.lerp(levels[below], levels[below + 1], (position - below)[:, None].to(levels.dtype))
