"""One codec at one setting on one picture, measured from a real file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from glic_pyg.evaluation.baselines.base import Baseline
from glic_pyg.evaluation.peak_memory import PeakMemory
from glic_pyg.evaluation.quality import Quality, quality_of
from glic_pyg.metrics import bpp

__all__ = ["Measured", "Pixels", "Rung", "classical_rung", "measure_file"]

Pixels = NDArray[np.uint8]
T = TypeVar("T")


@dataclass(frozen=True)
class Rung:
    """One step of a codec's ladder: the codec at one setting.

    Attributes:
        codec: ``"glic"``, ``"jpeg"``, ...
        setting: name of the weights, or such as ``"quality 30"``.
        suffix: of its files.
        encode: pixels, uint8 (H, W, 3) or (H, W), to the bytes of a file.
        decode: those bytes and the original's shape to pixels.
        identity: everything else that the numbers depend on, in words: versions, options, weights; ``None``
            if that is not known.
    """

    codec: str
    setting: str
    suffix: str
    encode: Callable[[Pixels], bytes]
    decode: Callable[[bytes, tuple[int, ...]], Pixels]
    identity: str | None = None


@dataclass(frozen=True)
class Measured:
    """One file of one codec.

    Attributes:
        codec, setting: of the rung.
        size: bytes of the file.
        bpp: bits a pixel.
        quality: against the original.
        encode_seconds, decode_seconds: wall time, without reading or writing the file.
        peak_memory: bytes held at most while encoding or decoding, see
            :class:`~glic_pyg.evaluation.peak_memory.PeakMemory`; ``None`` where the system does not tell.
    """

    codec: str
    setting: str
    size: int
    bpp: float
    quality: Quality
    encode_seconds: float
    decode_seconds: float
    peak_memory: int | None = None


def classical_rung(codec: Baseline, setting: int) -> Rung:
    """A classical codec at one of its settings."""
    return Rung(
        codec.name,
        f"{codec.word} {setting}",
        codec.suffix,
        lambda pixels: codec.encode(pixels, setting),
        codec.decode,
        f"{codec.version()}; {codec.invocation(setting)}",
    )


def measure_file(rung: Rung, original: Pixels, path: Path) -> Measured:
    """Encode, write, read back, decode, compare.

    Args:
        rung: what to measure.
        original: uint8 (H, W, 3) or (H, W).
        path: of the file, overwritten if it exists.
    """
    with PeakMemory() as memory:
        data, encode_seconds = _timed(lambda: rung.encode(original))
        path.write_bytes(data)
        data = path.read_bytes()
        decoded, decode_seconds = _timed(lambda: rung.decode(data, original.shape))
    height, width = original.shape[:2]
    return Measured(
        rung.codec,
        rung.setting,
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
