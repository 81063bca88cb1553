"""PSNR, MS-SSIM and bpp: the only ones of this package, for training, the codec and every measurement.

Images are compared as people see them, in 8 bit: tensors in [0, 1] are clamped and rounded first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor  # reading the header of a file needs bpp and no torch

__all__ = ["MS_SSIM_MIN_SIDE", "bpp", "finite_mean", "ms_ssim", "ms_ssim_db", "pixel_psnr", "psnr"]

MS_SSIM_MIN_SIDE = 161
"""Pixels that MS-SSIM needs a side: its 11-tap window must fit after four halvings."""


def psnr(x_hat: Tensor, x: Tensor) -> Tensor:
    r"""Peak signal-to-noise ratio of 8-bit images.

    .. math::
        \mathrm{PSNR} = 10 \log_{10} \frac{255^2}{\mathrm{MSE}}

    over all pixels and channels of an image.

    Args:
        x_hat: reconstructions (B, C, H, W), 1.0 is white.
        x: originals, same shape.

    Returns:
        dB for each image, (B,) float64; infinite for equal images.
    """
    mean_square = (_to_8bit(x_hat) - _to_8bit(x)).square().mean(dim=(1, 2, 3))
    return 10 * (255**2 / mean_square).log10()


def pixel_psnr(decoded: NDArray[np.uint8], original: NDArray[np.uint8]) -> float:
    """:func:`psnr` in dB of one image that has 8 bits already, of any shape, without the float64 copies."""
    mean_square = float(np.square(decoded.astype(np.int32) - original).mean())
    return 10 * math.log10(255**2 / mean_square) if mean_square else math.inf


def ms_ssim(x_hat: Tensor, x: Tensor) -> Tensor:
    """Multi-scale structural similarity of 8-bit images (Wang, Simoncelli and Bovik 2003; 5 scales).

    Channels count alike. Summation in float32 can end a little above 1, which is cut off.

    Args:
        x_hat: reconstructions (B, C, H, W), 1.0 is white.
        x: originals, same shape.

    Returns:
        Similarity of each image, (B,) float64, 1 for equal images and never more.

    Raises:
        ValueError: the images are smaller than :data:`MS_SSIM_MIN_SIDE`, or their shapes differ.
    """
    if x.shape != x_hat.shape:
        raise ValueError(f"MS-SSIM compares equal shapes, not {tuple(x_hat.shape)} with {tuple(x.shape)}.")
    if min(x.shape[2:]) < MS_SSIM_MIN_SIDE:
        raise ValueError(
            f"MS-SSIM has 5 scales and needs at least {MS_SSIM_MIN_SIDE} pixels a side; "
            f"this image has {x.shape[3]}x{x.shape[2]}."
        )
    from pytorch_msssim import ms_ssim as msssim_of_pairs

    pair = (_to_8bit(x_hat).float(), _to_8bit(x).float())
    return msssim_of_pairs(*pair, data_range=255, size_average=False).double().clamp(max=1)


def ms_ssim_db(similarity: float) -> float:
    r"""MS-SSIM of one image in decibels, :math:`-10 \log_{10}(1 - s)`; infinite for 1.

    A data set's value is the mean of these over its images.
    """
    return math.inf if similarity >= 1 else -10 * math.log10(1 - similarity)


def bpp(size: int, width: int, height: int) -> float:
    """Bits per pixel: all bytes of the file over the image's own pixels, padding not counted.

    Args:
        size: bytes of the file.
        width, height: of the image, in pixels.
    """
    return 8 * size / (width * height)


def finite_mean(values: Iterable[float | None]) -> tuple[float | None, int]:
    """Mean of the finite values, and how many there are.

    An image without any error has an infinite PSNR, a small one has no MS-SSIM: neither may take the mean of
    the others away.

    Returns:
        The mean, ``None`` where no value is finite, and the count.
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return (math.fsum(finite) / len(finite) if finite else None), len(finite)


def _to_8bit(x: Tensor) -> Tensor:
    return (x.double().clamp(0, 1) * 255).round()
