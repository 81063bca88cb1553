"""Every codec at every operating point on every test image, each measured once."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import glic_pyg
from glic_pyg.codec.effort import Effort
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.image_file import read_image
from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.codec.results import Decoded, Encoded
from glic_pyg.data.index import build_catalogue
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.baselines import BASELINES
from glic_pyg.evaluation.baselines.base import Baseline
from glic_pyg.evaluation.comparison import Comparison, learned_sweeps, measure_sweep
from glic_pyg.evaluation.measure import OperatingPoint, baseline_point
from glic_pyg.models.weights import weights_hash
from glic_pyg.types import Pixels
from studies.images import centre_crop
from studies.rate_distortion import SEARCHED
from studies.results.measurement_cache import MeasurementCache, Origin

__all__ = ["MeasuredSets", "TestSet", "at_effort", "code_fingerprint", "measure_sets", "our_points"]


@dataclass(frozen=True)
class TestSet:
    """Images that are averaged together.

    Attributes:
        name: ``"kodak"``, or of the folder.
        files: in the order of their names.
        side: only the centre of larger images is used, at most so many pixels high and wide; ``None``: all.
    """

    __test__ = False  # no test, despite its name

    name: str
    files: tuple[Path, ...]
    side: int | None = None

    @classmethod
    def of(cls, name: str, folder: Path, side: int | None) -> TestSet:
        """The images of a folder."""
        return cls(name, tuple(file.path for file in build_catalogue(folder).files), side)

    def pixels(self, file: Path) -> Pixels:
        """Colours of an image, uint8 (H, W, 3), or (H, W) of a grey one; alpha is dropped."""
        colour = read_image(file.read_bytes()).colour
        return colour if self.side is None else centre_crop(colour, self.side)


@dataclass(frozen=True)
class MeasuredSets:
    """Test sets measured with the same codecs.

    Attributes:
        sets: the images.
        comparisons: by the name of the set.
        learned: names of the learned codecs, ours first.
        points: number of operating points of our codec, which come first in every comparison.
        baselines: codecs that were measured with it.
        missing: a sentence for each baseline that could not be measured.
        origins: where and when the measurements were made.
    """

    sets: Sequence[TestSet]
    comparisons: dict[str, list[Comparison]]
    learned: Sequence[str]
    points: int
    baselines: Sequence[Baseline]
    missing: Sequence[str]
    origins: Sequence[Origin]


def measure_sets(
    sets: Sequence[TestSet], ours: Sequence[OperatingPoint], codecs: str, kept: Path
) -> MeasuredSets:
    """Measure every operating point on every image, except what was measured before.

    Args:
        sets: the images.
        ours: points of learned codecs, our own codec's first (:func:`our_points`); may be empty.
        codecs: names of baselines, separated by commas.
        kept: file of earlier measurements.

    Raises:
        GlicError: a name is unknown.
    """
    names = codecs.split(",")
    if unknown := [name for name in names if name not in BASELINES]:
        raise GlicError(f"There is no codec {unknown[0]}; there are {', '.join(BASELINES)}.")
    wanted = [BASELINES[name] for name in names]
    baselines = [codec for codec in wanted if codec.missing() is None]
    left_out = [codec for codec in wanted if codec not in baselines]
    missing = [f"{codec.title} is left out: it needs {codec.missing()}." for codec in left_out]
    points = [*ours] + [baseline_point(codec, setting) for codec in baselines for setting in codec.sweep]
    cache = MeasurementCache(kept)
    comparisons = {images.name: _measure(points, images, cache) for images in sets}
    learned = [point.codec for point in ours]
    count = learned.count(learned[0]) if learned else 0
    curves = list(dict.fromkeys(learned))
    return MeasuredSets(sets, comparisons, curves, count, baselines, missing, sorted(cache.origins))


def our_points(codecs: Sequence[ImageCodec], qualities: Sequence[float]) -> list[OperatingPoint]:
    """The operating points of learned codecs, ``qualities`` of those of variable rate."""
    return learned_sweeps(codecs, qualities, [_identity(codec) for codec in codecs])


def at_effort(codec: ImageCodec, level: int, qualities: Sequence[float]) -> list[OperatingPoint]:
    """The operating points of a codec whose encoder searches; the level is part of the curve's name."""
    points = learned_sweeps([_Searching(codec, Effort(level))], qualities, [_identity(codec)])
    return [replace(point, codec=f"{point.codec}{SEARCHED}{level}") for point in points]


class _Searching:
    """A codec that encodes at an effort."""

    def __init__(self, codec: ImageCodec, effort: Effort) -> None:
        self.name, self.variable_rate = codec.name, codec.variable_rate
        self._codec, self._effort = codec, effort

    def encode(self, source: Pixels, *, target: RateTarget | None = None, estimate: bool = False) -> Encoded:
        return self._codec.encode(source, target=target, estimate=estimate, effort=self._effort)

    def decode(self, data: bytes) -> Decoded:
        return self._codec.decode(data)


def code_fingerprint() -> str:
    """SHA-256, hex, of all code that makes our files: our codec is measured again when it changes."""
    package, digest = Path(glic_pyg.__file__).parent, hashlib.sha256()
    for pattern in ("*", *(f"{folder}/**/*" for folder in ("kernels", "graph", "nn", "models", "codec"))):
        for path in sorted(package.glob(pattern)):
            if path.suffix in (".py", ".c", ".h"):
                digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return digest.hexdigest()


def _identity(codec: ImageCodec) -> str:
    weights = weights_hash(codec.model)
    return f"weights {weights}; float32 on {codec.device}; code {code_fingerprint()}"


def _measure(points: Sequence[OperatingPoint], images: TestSet, cache: MeasurementCache) -> list[Comparison]:
    """Measure one image after the other, with a line for each that took time."""
    found = []
    with TemporaryDirectory() as folder:
        for number, file in enumerate(images.files, start=1):
            start = time.perf_counter()
            found.append(measure_sweep(points, file.stem, images.pixels(file), Path(folder), cache.measure))
            if (seconds := time.perf_counter() - start) > 1:
                where = f"{images.name} {number}/{len(images.files)}"
                print(f"{where}  {file.stem}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return found
