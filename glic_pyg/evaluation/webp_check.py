"""What WebP would make of the bytes that our file of a picture has."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glic_pyg.evaluation.classical.pillow import WEBP, WEBP_LOSSLESS
from glic_pyg.evaluation.classical.same_bytes import ClassicalFile, around
from glic_pyg.evaluation.curve import Curve
from glic_pyg.evaluation.quality import quality_of

__all__ = ["LARGEST_SIDE", "WebpCheck", "webp_check"]

LARGEST_SIDE = 16383
"""Pixels a side that WebP can hold."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class WebpCheck:
    """Two codecs on one picture at equal bytes, or as near to them as WebP comes.

    Attributes:
        psnr: of our file, in dB; infinite if no pixel differs.
        size: bytes of our file that the colours take.
        webp_psnr: of WebP; infinite if it needs no more than these bytes to lose nothing.
        webp_size: bytes of WebP: fewer where it cannot use more, more where it cannot do with fewer.
    """

    psnr: float
    size: int
    webp_psnr: float
    webp_size: int

    @property
    def webp_is_better(self) -> bool:
        """Whether WebP is nearer to the original without spending more."""
        return self.webp_size <= self.size and self.webp_psnr > self.psnr


def webp_check(original: Pixels, decoded: Pixels, size: int) -> WebpCheck:
    """Compare with lossy WebP, interpolated between two qualities, and with lossless WebP.

    It costs some ten encodings of WebP, a second a megapixel.

    Args:
        original: uint8 (H, W, 3) or (H, W), no side longer than :data:`LARGEST_SIDE`.
        decoded: what our file gives back.
        size: bytes of our file that the colours take.

    Raises:
        ValueError: the picture is too large for WebP.
    """
    if max(original.shape[:2]) > LARGEST_SIDE:
        raise ValueError(f"WebP holds no picture with more than {LARGEST_SIDE} pixels a side.")
    ours = quality_of(decoded, original).psnr
    without_loss = len(WEBP_LOSSLESS.encode(original, WEBP_LOSSLESS.ladder[0]))
    if without_loss <= size:
        return WebpCheck(ours, size, math.inf, without_loss)
    files = around(WEBP, original, size)
    quality = [quality_of(WEBP.decode(file.data, original.shape), original).psnr for file in files]
    if len(files) == 1 or not all(map(math.isfinite, quality)):
        return WebpCheck(ours, size, quality[0], len(files[0].data))
    return WebpCheck(ours, size, _between(files, quality, size), size)


def _between(files: list[ClassicalFile], quality: list[float], size: int) -> float:
    """PSNR at a size between those of two files."""
    curve = Curve("WebP", tuple(float(len(file.data)) for file in files), tuple(quality), None, "")
    at = curve.psnr_at(size)
    assert at is not None  # the size lies between them
    return at
