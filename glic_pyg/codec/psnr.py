"""The only PSNR of this package, of batches and of single 8-bit pictures.

It lives here and not in ``evaluation`` because the codec searches for a PSNR that was asked for.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["pixel_psnr", "psnr"]


def psnr(x_hat: Tensor, x: Tensor) -> Tensor:
    r"""Peak signal-to-noise ratio of 8-bit pictures.

    .. math::
        \mathrm{PSNR} = 10 \log_{10} \frac{255^2}{\mathrm{MSE}}

    over all pixels and channels of a picture, both sides clamped to [0, 1] and rounded to 8 bit first.

    Args:
        x_hat: reconstructions (B, C, H, W), 1.0 is white.
        x: originals, same shape.

    Returns:
        dB for each picture, (B,) float64; infinite for equal pictures.
    """
    mean_square = (_to_8bit(x_hat) - _to_8bit(x)).square().mean(dim=(1, 2, 3))
    return 10 * (255**2 / mean_square).log10()


def pixel_psnr(decoded: NDArray[np.uint8], original: NDArray[np.uint8]) -> float:
    """:func:`psnr` in dB of one picture that has 8 bits already, of any shape, without the float64 copies."""
    mean_square = float(np.square(decoded.astype(np.int32) - original).mean())
    return 10 * math.log10(255**2 / mean_square) if mean_square else math.inf


def _to_8bit(x: Tensor) -> Tensor:
    return (x.double().clamp(0, 1) * 255).round()
