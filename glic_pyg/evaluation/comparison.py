"""Our codec and baselines on one image, from real files: at matched rate, or each over a rate sweep."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.codec.results import Decoded, Encoded
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.baselines.pillow import JPEG, WEBP
from glic_pyg.evaluation.measure import Measurement, OperatingPoint, baseline_point, measure_file
from glic_pyg.evaluation.rate_matching import at_least, nearest
from glic_pyg.types import Pixels

__all__ = [
    "QUALITIES",
    "Comparison",
    "LearnedCodec",
    "compare_image",
    "learned_point",
    "learned_sweeps",
    "measure_sweep",
]

QUALITIES = (0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0, 100.0)
"""Rate sweep of a variable-rate model, unless others are given."""

_LMBDA = re.compile(r"(?P<model>.+?)-(?P<lmbda>\d[\d.]*(e-?\d+)?)")


class LearnedCodec(Protocol):
    """A learned codec with its weights, such as :class:`~glic_pyg.codec.image_codec.ImageCodec`."""

    name: str

    @property
    def variable_rate(self) -> bool:
        """Whether the model codes at any quality."""

    def encode(self, source: Pixels, *, target: RateTarget | None = None, estimate: bool = False) -> Encoded:
        """Encode uint8 (H, W, 3) or (H, W), at a quality or to a target where one is given."""

    def decode(self, data: bytes) -> Decoded:
        """Decode a file of :meth:`encode`."""


@dataclass(frozen=True)
class Comparison:
    """The measurements of all codecs on one image.

    Attributes:
        image: name of the image.
        width, height: in pixels.
        estimated_bits: what our model predicted for its file; ``None`` if it was not asked.
        codecs: one measurement for each operating point, ours first.
    """

    image: str
    width: int
    height: int
    estimated_bits: float | None
    codecs: tuple[Measurement, ...]

    @property
    def ours(self) -> Measurement:
        """The first file of our codec."""
        return self.codecs[0]


def compare_image(
    codec: LearnedCodec, image: str, original: Pixels, folder: Path, target: RateTarget | None = None
) -> Comparison:
    """Measure our file, then JPEG and WebP at matched rate.

    JPEG spends at least as many bytes as ours, WebP as nearly as many as its qualities allow.

    Args:
        codec: ours.
        image: name of the image; the files get this name, ``_`` for ``/``, and ``.glic``, ``.jpg`` and
            ``.webp``.
        original: uint8 (H, W, 3) or (H, W).
        folder: where the files go; existing ones are overwritten.
        target: a quality, size or PSNR of our file.
    """
    estimates: list[float | None] = []
    name = image.replace("/", "_")
    path = folder / f"{name}.glic"
    ours = measure_file(learned_point(codec, target, estimates=estimates), original, path)
    baselines = (
        baseline_point(JPEG, at_least(JPEG, original, ours.size).setting),
        baseline_point(WEBP, nearest(WEBP, original, ours.size).setting),
    )
    theirs = [measure_file(point, original, folder / f"{name}{point.suffix}") for point in baselines]
    height, width = original.shape[:2]
    return Comparison(image, width, height, estimates[0], (ours, *theirs))


def measure_sweep(
    points: Sequence[OperatingPoint],
    image: str,
    original: Pixels,
    folder: Path,
    measure: Callable[[OperatingPoint, Pixels, Path], Measurement] = measure_file,
) -> Comparison:
    """Measure every operating point on one image.

    Args:
        points: of all codecs, ours first.
        image: name of the image; the files get this name, ``_`` for ``/``, and the number of the point.
        original, folder: as for :func:`compare_image`.
        measure: how one point is measured, for example from a cache.
    """
    name = image.replace("/", "_")
    measured = tuple(
        measure(point, original, folder / f"{name}.{number:02}{point.suffix}")
        for number, point in enumerate(points)
    )
    height, width = original.shape[:2]
    return Comparison(image, width, height, None, measured)


def learned_point(
    codec: LearnedCodec, target: RateTarget | None = None, *, estimates: list[float | None] | None = None
) -> OperatingPoint:
    """A learned codec at one operating point.

    Args:
        codec: with its weights.
        target: requested of every file.
        estimates: receives the bits that the model predicts for each file. Without it the model is not asked,
            which saves time.
    """

    def encode(pixels: Pixels) -> bytes:
        encoded = codec.encode(pixels, target=target, estimate=estimates is not None)
        if estimates is not None:
            estimates.append(encoded.estimated_bits)
        return encoded.data

    return OperatingPoint("glic", codec.name, ".glic", encode, lambda data, shape: codec.decode(data).array)


def learned_sweeps(
    codecs: Sequence[LearnedCodec], qualities: Sequence[float] = QUALITIES, identities: Sequence[str] = ()
) -> list[OperatingPoint]:
    """The operating points of learned codecs, named so that those of one curve share a name.

    Each variable-rate model is a curve named like its weights, with a point per quality. A fixed-rate model
    is one point; models with names that differ only in λ at the end (``glic-0.0035``, ``glic-0.0067``) make
    one curve, ``glic-λ``, as in papers.

    Args:
        codecs: each with its weights.
        qualities: 0 to 100.
        identities: one per codec, see :class:`~glic_pyg.evaluation.measure.OperatingPoint`.

    Raises:
        GlicError: two weights have the same name.
    """
    points = []
    for number, codec in enumerate(codecs):
        identity = identities[number] if identities else None
        points += [replace(point, identity=identity) for point in _sweep(codec, qualities)]
    names = [(point.codec, point.setting) for point in points]
    if doubles := [name for name in names if names.count(name) > 1]:
        raise GlicError(f"Two weights are called {doubles[0][0]}; rename one, to tell them apart.")
    return points


def _sweep(codec: LearnedCodec, qualities: Sequence[float]) -> list[OperatingPoint]:
    if codec.variable_rate:
        return [
            replace(
                learned_point(codec, RateTarget("quality", q)), codec=codec.name, setting=f"quality {q:g}"
            )
            for q in qualities
        ]
    name = _LMBDA.fullmatch(codec.name)
    if name is None:
        return [replace(learned_point(codec), codec=codec.name, setting="its one rate")]
    return [replace(learned_point(codec), codec=f"{name['model']}-λ", setting=f"λ {name['lmbda']}")]
