"""A codec held against JPEG and WebP at the same bytes, from real files."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.evaluation.classical import (
    ClassicalFile,
    decode_classical,
    jpeg,
    jpeg_at_least,
    webp,
    webp_nearest,
)
from glic_pyg.evaluation.ms_ssim import LEAST_SIDE, ms_ssim, ms_ssim_db
from glic_pyg.evaluation.psnr import psnr
from glic_pyg.evaluation.rate import bpp

__all__ = ["CodecUnderTest", "Comparison", "Measured", "Quality", "compare_image", "planes", "quality_of"]

Pixels = NDArray[np.uint8]
T = TypeVar("T")


class EncodedFile(Protocol):
    """What encoding returns."""

    @property
    def data(self) -> bytes:
        """The bytes of the file."""

    @property
    def estimated_bits(self) -> float | None:
        """Bits that the model predicts for the file, if asked for."""


class DecodedFile(Protocol):
    """What decoding returns."""

    @property
    def array(self) -> Pixels:
        """The picture, uint8 (H, W, 3) or (H, W)."""


class CodecUnderTest(Protocol):
    """What is asked of a codec; ``glic_pyg.codec.image_codec.ImageCodec`` is one."""

    name: str

    def encode(self, source: Pixels, *, estimate: bool = False) -> EncodedFile:
        """Encode uint8 (H, W, 3) or (H, W)."""

    def decode(self, data: bytes) -> DecodedFile:
        """Decode what :meth:`encode` made."""


@dataclass(frozen=True)
class Quality:
    """How near a reconstruction is to its original.

    Attributes:
        psnr: dB, infinite for equal pictures.
        ms_ssim: 0 to 1; ``None`` if the picture is too small for its 5 scales.
    """

    psnr: float
    ms_ssim: float | None

    @property
    def ms_ssim_db(self) -> float | None:
        """MS-SSIM in decibels."""
        return None if self.ms_ssim is None else ms_ssim_db(self.ms_ssim)


@dataclass(frozen=True)
class Measured:
    """One file of one codec.

    Attributes:
        codec: ``"glic"``, ``"jpeg"`` or ``"webp"``.
        setting: name of the weights, or the quality.
        size: bytes of the file.
        bpp: bits a pixel.
        quality: against the original.
        encode_seconds, decode_seconds: wall time in memory, without reading or writing the file.
    """

    codec: str
    setting: str
    size: int
    bpp: float
    quality: Quality
    encode_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class Comparison:
    """One image: ours, and the others at the same bytes.

    Attributes:
        image: name of the image.
        width, height: in pixels.
        estimated_bits: what our model predicted for its file; ``None`` if it does not predict.
        codecs: ours first.
    """

    image: str
    width: int
    height: int
    estimated_bits: float | None
    codecs: tuple[Measured, ...]

    @property
    def ours(self) -> Measured:
        """The file of the codec under test."""
        return self.codecs[0]


def compare_image(codec: CodecUnderTest, image: str, original: Pixels, folder: Path) -> Comparison:
    """Encode, write, read back, decode, compare; then JPEG and WebP at the bytes that were spent.

    JPEG spends at least as many bytes; WebP as nearly as many as its qualities allow.

    Args:
        codec: what to measure.
        image: name; the files are called that, with the suffixes ``.glic``, ``.jpg`` and ``.webp``.
        original: uint8 (H, W, 3) or (H, W).
        folder: where the files go; ones of the same name are overwritten.
    """
    encoded, encode_seconds = _timed(lambda: codec.encode(original, estimate=True))
    data = _through_file(folder / f"{image}.glic", encoded.data)
    decoded, decode_seconds = _timed(lambda: codec.decode(data).array)
    seconds = (encode_seconds, decode_seconds)
    ours = _measured("glic", codec.name, data, quality_of(decoded, original), original, seconds)
    rivals = (
        _classical(jpeg_at_least(original, len(data)), jpeg, original, folder / f"{image}.jpg"),
        _classical(webp_nearest(original, len(data)), webp, original, folder / f"{image}.webp"),
    )
    height, width = original.shape[:2]
    return Comparison(image, width, height, encoded.estimated_bits, (ours, *rivals))


def quality_of(decoded: Pixels, original: Pixels) -> Quality:
    """Compare 8-bit pictures of one shape, (H, W, 3) or (H, W).

    Raises:
        ValueError: their shapes differ.
    """
    if decoded.shape != original.shape:
        raise ValueError(f"A picture of shape {decoded.shape} is no copy of one of shape {original.shape}.")
    x_hat, x = planes(decoded), planes(original)
    similarity = ms_ssim(x_hat, x).item() if min(original.shape[:2]) >= LEAST_SIDE else None
    return Quality(psnr(x_hat, x).item(), similarity)


def _classical(
    made: ClassicalFile, encoder: Callable[[Pixels, int], bytes], original: Pixels, path: Path
) -> Measured:
    """Measure a file whose quality was found, timing one more encoding at that quality."""
    data, encode_seconds = _timed(lambda: encoder(original, made.quality))
    data = _through_file(path, data)
    decoded, decode_seconds = _timed(lambda: decode_classical(data, grey=original.ndim == 2))
    seconds = (encode_seconds, decode_seconds)
    quality = quality_of(decoded, original)
    return _measured(encoder.__name__, f"quality {made.quality}", data, quality, original, seconds)


def _measured(
    codec: str, setting: str, data: bytes, quality: Quality, original: Pixels, seconds: tuple[float, float]
) -> Measured:
    height, width = original.shape[:2]
    return Measured(codec, setting, len(data), bpp(len(data), width, height), quality, *seconds)


def _through_file(path: Path, data: bytes) -> bytes:
    """Write a file and read it back."""
    path.write_bytes(data)
    return path.read_bytes()


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def planes(pixels: Pixels) -> Tensor:
    """uint8 (H, W) or (H, W, 3) to float64 (1, C, H, W) in [0, 1]."""
    return torch.from_numpy(np.atleast_3d(pixels).copy()).permute(2, 0, 1)[None].double() / 255
