"""Rate matching: the setting of a baseline that spends a given number of bytes, and a check against WebP."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from glic_pyg.evaluation.baselines.base import Baseline
from glic_pyg.evaluation.baselines.pillow import WEBP, WEBP_LOSSLESS
from glic_pyg.evaluation.curves import Curve
from glic_pyg.evaluation.measure import quality_of
from glic_pyg.types import Pixels

__all__ = ["WEBP_MAX_SIDE", "MatchedFile", "WebpCheck", "around", "at_least", "nearest", "webp_check"]

WEBP_MAX_SIDE = 16383
"""Most pixels per side of a WebP file."""


class MatchedFile(NamedTuple):
    """A file of a baseline and the setting that made it."""

    data: bytes
    setting: int


def at_least(codec: Baseline, pixels: Pixels, size: int) -> MatchedFile:
    """The first setting that spends at least ``size`` bytes; the last one if none does.

    The settings are tried in turn, as the size is not always monotone. For fast codecs.
    """
    for setting in codec.settings:
        data = codec.encode(pixels, setting)
        if len(data) >= size:
            break
    return MatchedFile(data, setting)


def nearest(codec: Baseline, pixels: Pixels, size: int) -> MatchedFile:
    """The file nearest to ``size`` bytes of those :func:`around` it."""
    return min(around(codec, pixels, size), key=lambda file: abs(len(file.data) - size))


def around(codec: Baseline, pixels: Pixels, size: int) -> list[MatchedFile]:
    """The last setting whose file fits into ``size`` bytes and the next one; one file at either end.

    Found by bisection, which assumes that the size grows with the setting.
    """
    files: dict[int, bytes] = {}

    def size_of(number: int) -> int:
        if number not in files:
            files[number] = codec.encode(pixels, codec.settings[number])
        return len(files[number])

    numbers = range(len(codec.settings))
    too_large = bisect_right(numbers, size, key=size_of)
    neighbours = [number for number in (too_large - 1, too_large) if number in numbers]
    return [MatchedFile(files[number], codec.settings[number]) for number in neighbours]


@dataclass(frozen=True)
class WebpCheck:
    """Our codec and WebP on one image at equal bytes, or as near to them as WebP comes.

    Attributes:
        psnr: of our file, in dB; infinite if no pixel differs.
        size: bytes of our file, metadata not counted.
        webp_psnr: of WebP; infinite if it is lossless within these bytes.
        webp_size: bytes of WebP; fewer if its best quality needs fewer, more if its worst needs more.
    """

    psnr: float
    size: int
    webp_psnr: float
    webp_size: int

    @property
    def webp_is_better(self) -> bool:
        """Whether WebP has the higher PSNR without spending more bytes."""
        return self.webp_size <= self.size and self.webp_psnr > self.psnr


def webp_check(original: Pixels, decoded: Pixels, size: int) -> WebpCheck:
    """Compare with lossy WebP, interpolated between two qualities, and with lossless WebP.

    Takes about ten encodings by WebP, a second per megapixel.

    Args:
        original: uint8 (H, W, 3) or (H, W), no side longer than :data:`WEBP_MAX_SIDE`.
        decoded: the reconstruction from our file.
        size: bytes of our file, metadata not counted.

    Raises:
        ValueError: the image is too large for WebP.
    """
    if max(original.shape[:2]) > WEBP_MAX_SIDE:
        raise ValueError(f"WebP holds no image with more than {WEBP_MAX_SIDE} pixels a side.")
    ours = quality_of(decoded, original).psnr
    lossless = len(WEBP_LOSSLESS.encode(original, WEBP_LOSSLESS.sweep[0]))
    if lossless <= size:
        return WebpCheck(ours, size, math.inf, lossless)
    files = around(WEBP, original, size)
    psnr = [quality_of(WEBP.decode(file.data, original.shape), original).psnr for file in files]
    if len(files) == 1 or not all(map(math.isfinite, psnr)):
        return WebpCheck(ours, size, psnr[0], len(files[0].data))
    curve = Curve("WebP", tuple(float(len(file.data)) for file in files), tuple(psnr), None, "")
    between = curve.psnr_at(size)
    assert between is not None  # the size lies between those of the two files
    return WebpCheck(ours, size, between, size)
