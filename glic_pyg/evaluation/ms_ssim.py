"""The MS-SSIM of this package."""

from __future__ import annotations

import math

from pytorch_msssim import ms_ssim as msssim_of_pairs
from torch import Tensor

__all__ = ["LEAST_SIDE", "ms_ssim", "ms_ssim_db"]

LEAST_SIDE = 161
"""Pixels that the shorter side needs: the 11-tap window must fit after four halvings."""


def ms_ssim(x_hat: Tensor, x: Tensor) -> Tensor:
    """Multi-scale structural similarity of 8-bit pictures (Wang, Simoncelli and Bovik 2003; 5 scales).

    Both sides are clamped to [0, 1] and rounded to 8 bit first; channels count alike.

    Args:
        x_hat: reconstructions (B, C, H, W), 1.0 is white.
        x: originals, same shape.

    Returns:
        Similarity of each picture, (B,) float64, 1 for equal pictures.

    Raises:
        ValueError: the pictures are too small for 5 scales, or their shapes differ.
    """
    if x.shape != x_hat.shape:
        raise ValueError(f"MS-SSIM compares equal shapes, not {tuple(x_hat.shape)} with {tuple(x.shape)}.")
    if min(x.shape[2:]) < LEAST_SIDE:
        raise ValueError(
            f"MS-SSIM has 5 scales and needs at least {LEAST_SIDE} pixels a side; "
            f"this picture has {x.shape[3]}x{x.shape[2]}."
        )
    pair = (_to_8bit(x_hat), _to_8bit(x))
    return msssim_of_pairs(*pair, data_range=255, size_average=False).double()


def ms_ssim_db(similarity: float) -> float:
    r"""MS-SSIM of one picture in decibels, :math:`-10 \log_{10}(1 - s)`; infinite for 1.

    A data set's figure is the mean of these over its pictures.
    """
    return math.inf if similarity >= 1 else -10 * math.log10(1 - similarity)


def _to_8bit(x: Tensor) -> Tensor:
    return (x.double().clamp(0, 1) * 255).round().float()
