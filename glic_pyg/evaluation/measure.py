"""One codec at one setting on one image, measured from a real file: bytes, quality, time and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from glic_pyg.evaluation.baselines.base import Baseline
from glic_pyg.evaluation.peak_memory import PeakMemory
from glic_pyg.metrics import MS_SSIM_MIN_SIDE, bpp, ms_ssim, ms_ssim_db, pixel_psnr
from glic_pyg.types import Pixels

__all__ = ["Measurement", "OperatingPoint", "Quality", "baseline_point", "measure_file", "quality_of"]

T = TypeVar("T")


@dataclass(frozen=True)
class Quality:
    """How close a reconstruction is to its original.

    Attributes:
        psnr: dB; infinite for equal images.
        ms_ssim: 0 to 1; ``None`` if the image is too small for its 5 scales.
    """

    psnr: float
    ms_ssim: float | None

    @property
    def ms_ssim_db(self) -> float | None:
        """MS-SSIM in decibels."""
        return None if self.ms_ssim is None else ms_ssim_db(self.ms_ssim)


def quality_of(decoded: Pixels, original: Pixels) -> Quality:
    """Compare 8-bit images of the same shape, (H, W, 3) or (H, W).

    Raises:
        ValueError: their shapes differ.
    """
    if decoded.shape != original.shape:
        raise ValueError(f"An image of shape {decoded.shape} is no copy of one of shape {original.shape}.")
    large = min(original.shape[:2]) >= MS_SSIM_MIN_SIDE
    similarity = ms_ssim(_planes(decoded), _planes(original)).item() if large else None
    return Quality(pixel_psnr(decoded, original), similarity)


def _planes(pixels: Pixels) -> Tensor:
    """uint8 (H, W) or (H, W, 3) to float64 (1, C, H, W) in [0, 1]."""
    return torch.from_numpy(np.atleast_3d(pixels).copy()).permute(2, 0, 1)[None].double() / 255


@dataclass(frozen=True)
class OperatingPoint:
    """A codec at one setting: one point of its rate sweep.

    Attributes:
        codec: ``"glic"``, ``"jpeg"``, ...
        setting: name of the weights, or for example ``"quality 30"``.
        suffix: of its files.
        encode: pixels, uint8 (H, W, 3) or (H, W), to the bytes of a file.
        decode: those bytes and the shape of the original to pixels.
        identity: everything else that the results depend on, as text: versions, options, weights; ``None`` if
            that is unknown.
    """

    codec: str
    setting: str
    suffix: str
    encode: Callable[[Pixels], bytes]
    decode: Callable[[bytes, tuple[int, ...]], Pixels]
    identity: str | None = None


def baseline_point(codec: Baseline, setting: int) -> OperatingPoint:
    """A baseline at one of its settings."""
    return OperatingPoint(
        codec.name,
        f"{codec.word} {setting}",
        codec.suffix,
        lambda pixels: codec.encode(pixels, setting),
        codec.decode,
        f"{codec.version()}; {codec.invocation(setting)}",
    )


@dataclass(frozen=True)
class Measurement:
    """One file of one codec.

    Attributes:
        codec, setting: of the operating point.
        size: bytes of the file.
        bpp: bits per pixel.
        quality: against the original.
        encode_seconds, decode_seconds: wall time, without reading or writing the file.
        peak_memory: bytes while encoding and decoding, see
            :class:`~glic_pyg.evaluation.peak_memory.PeakMemory`; ``None`` if unknown.
    """

    codec: str
    setting: str
    size: int
    bpp: float
    quality: Quality
    encode_seconds: float
    decode_seconds: float
    peak_memory: int | None = None


def measure_file(point: OperatingPoint, original: Pixels, path: Path) -> Measurement:
    """Encode, write, read back, decode, compare.

    Args:
        point: what to measure.
        original: uint8 (H, W, 3) or (H, W).
        path: of the file; overwritten if it exists.
    """
    with PeakMemory() as memory:
        data, encode_seconds = _timed(lambda: point.encode(original))
        path.write_bytes(data)
        data = path.read_bytes()
        decoded, decode_seconds = _timed(lambda: point.decode(data, original.shape))
    height, width = original.shape[:2]
    return Measurement(
        point.codec,
        point.setting,
        len(data),
        bpp(len(data), width, height),
        quality_of(decoded, original),
        encode_seconds,
        decode_seconds,
        memory.bytes,
    )


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start
