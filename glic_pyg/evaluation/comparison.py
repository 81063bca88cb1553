"""Codecs held against each other on one picture, from real files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from glic_pyg.codec.goal import Goal
from glic_pyg.evaluation.baselines.pillow import JPEG, WEBP
from glic_pyg.evaluation.measure import Measured, Rung, classical_rung, measure_file
from glic_pyg.evaluation.measurements import Measurements
from glic_pyg.evaluation.rate_matching import at_least, nearest

__all__ = ["CodecUnderTest", "Comparison", "compare_image", "learned_rung", "measure_ladder"]

Pixels = NDArray[np.uint8]


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

    def encode(self, source: Pixels, *, goal: Goal | None = None, estimate: bool = False) -> EncodedFile:
        """Encode uint8 (H, W, 3) or (H, W), at a quality or to a target where one is given."""

    def decode(self, data: bytes) -> DecodedFile:
        """Decode what :meth:`encode` made."""


@dataclass(frozen=True)
class Comparison:
    """One image and every codec's file of it.

    Attributes:
        image: name of the image.
        width, height: in pixels.
        estimated_bits: what our model predicted for its file; ``None`` if it was not asked to.
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


def learned_rung(
    codec: CodecUnderTest, goal: Goal | None = None, *, estimates: list[float | None] | None = None
) -> Rung:
    """A learned codec with its weights.

    Args:
        codec: ours.
        goal: what is asked of every file.
        estimates: gets what the model predicts for every file that is encoded, in bits; without it the model
            is not asked, which saves the time.
    """

    def encode(pixels: Pixels) -> bytes:
        encoded = codec.encode(pixels, goal=goal, estimate=estimates is not None)
        if estimates is not None:
            estimates.append(encoded.estimated_bits)
        return encoded.data

    return Rung("glic", codec.name, ".glic", encode, lambda data, shape: codec.decode(data).array)


def compare_image(
    codec: CodecUnderTest, image: str, original: Pixels, folder: Path, goal: Goal | None = None
) -> Comparison:
    """Measure our file; then JPEG and WebP at the bytes that were spent.

    JPEG spends at least as many bytes; WebP as nearly as many as its qualities allow.

    Args:
        codec: what to measure.
        image: name; the files are called that, ``_`` for ``/``, with the suffixes ``.glic``, ``.jpg`` and
            ``.webp``.
        original: uint8 (H, W, 3) or (H, W).
        folder: where the files go; ones of the same name are overwritten.
        goal: a quality, size or PSNR of our file.
    """
    estimates: list[float | None] = []
    name = image.replace("/", "_")
    path = folder / f"{name}.glic"
    ours = measure_file(learned_rung(codec, goal, estimates=estimates), original, path)
    rivals = (
        classical_rung(JPEG, at_least(JPEG, original, ours.size).setting),
        classical_rung(WEBP, nearest(WEBP, original, ours.size).setting),
    )
    theirs = [measure_file(rung, original, folder / f"{name}{rung.suffix}") for rung in rivals]
    height, width = original.shape[:2]
    return Comparison(image, width, height, estimates[0], (ours, *theirs))


def measure_ladder(
    rungs: Sequence[Rung], image: str, original: Pixels, folder: Path, kept: Measurements | None = None
) -> Comparison:
    """Measure every rung on one image; files are named by image and number of the rung.

    Args:
        rungs: codecs at settings.
        image, original, folder: as for :func:`compare_image`.
        kept: what was measured before; only what is not in it is measured, and added to it.
    """
    measure = measure_file if kept is None else kept.measured
    measured = tuple(
        measure(rung, original, folder / f"{image.replace('/', '_')}.{number:02}{rung.suffix}")
        for number, rung in enumerate(rungs)
    )
    height, width = original.shape[:2]
    return Comparison(image, width, height, None, measured)
