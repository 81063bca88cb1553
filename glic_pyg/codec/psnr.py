"""The PSNR that a target is held against: :func:`glic_pyg.evaluation.psnr.psnr` of one decoded picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["pixel_psnr"]


def pixel_psnr(decoded: NDArray[np.uint8], original: NDArray[np.uint8]) -> float:
    """PSNR of uint8 pictures of one shape in dB, infinite for equal ones.

    Evaluation imports the codec and not the other way round, hence this second form; a test holds them equal.
    """
    mean_square = float(np.square(decoded.astype(np.int32) - original).mean())
    return 10 * math.log10(255**2 / mean_square) if mean_square else math.inf
