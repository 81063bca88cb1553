"""JPEG and WebP as Pillow writes them, at a quality that spends a given number of bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["ClassicalFile", "decode_classical", "jpeg", "jpeg_at_least", "webp", "webp_nearest"]

Pixels = NDArray[np.uint8]
_QUALITIES = range(1, 101)
_WEBP_QUALITIES = range(0, 101)


class ClassicalFile(NamedTuple):
    """A file and the quality setting that made it."""

    data: bytes
    quality: int


def jpeg(pixels: Pixels, quality: int) -> bytes:
    """Baseline JPEG, 4:4:4, with optimised Huffman tables and nothing but the picture in it.

    Args:
        pixels: uint8 (H, W, 3) RGB or (H, W) grey.
        quality: Pillow's, 1 to 100.
    """
    return _saved(pixels, "JPEG", quality=quality, subsampling=0, optimize=True)


def webp(pixels: Pixels, quality: int) -> bytes:
    """Lossy WebP at the slowest and best ``method``; pixels as for :func:`jpeg`, quality 0 to 100."""
    return _saved(pixels, "WEBP", quality=quality, method=6)


def jpeg_at_least(pixels: Pixels, size: int) -> ClassicalFile:
    """The JPEG of the smallest quality that spends at least ``size`` bytes; quality 100 if none does.

    Qualities are tried one after the other: the size is not always monotone.
    """
    for quality in _QUALITIES:
        data = jpeg(pixels, quality)
        if len(data) >= size:
            break
    return ClassicalFile(data, quality)


def webp_nearest(pixels: Pixels, size: int) -> ClassicalFile:
    """The WebP whose size is nearest to ``size`` bytes.

    Bisection for the largest quality that fits, which trusts the size to grow with the quality; of that
    file and the next larger one the nearer is taken.
    """
    files: dict[int, bytes] = {}

    def of(quality: int) -> bytes:
        if quality not in files:
            files[quality] = webp(pixels, quality)
        return files[quality]

    fits = _largest(lambda quality: len(of(quality)) <= size)
    candidates = [quality for quality in (fits, fits + 1) if quality in _WEBP_QUALITIES]
    quality = min(candidates, key=lambda quality: abs(len(of(quality)) - size))
    return ClassicalFile(of(quality), quality)


def decode_classical(data: bytes, *, grey: bool) -> Pixels:
    """Pixels of a JPEG or WebP file, uint8 (H, W, 3) or, if ``grey``, (H, W)."""
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("L" if grey else "RGB"))


def _largest(fits: Callable[[int], bool]) -> int:
    """The largest WebP quality that fits, one below the least if none does."""
    low, high = _WEBP_QUALITIES.start - 1, _WEBP_QUALITIES.stop
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _saved(pixels: Pixels, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()
