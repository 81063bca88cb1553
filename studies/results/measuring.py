"""Every codec at every operating point on every test image, each measured once."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import glic_pyg
from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.image_file import read_image
from glic_pyg.data.index import build_catalogue
from glic_pyg.errors import GlicError
from glic_pyg.evaluation.baselines import BASELINES
from glic_pyg.evaluation.baselines.base import Baseline
from glic_pyg.evaluation.comparison import Comparison, learned_sweeps, measure_sweep
from glic_pyg.evaluation.measure import OperatingPoint, baseline_point
from glic_pyg.models.weights import weights_hash
from glic_pyg.types import Pixels
from studies.results.measurement_cache import MeasurementCache, Origin

__all__ = ["MeasuredSets", "TestSet", "code_fingerprint", "find_sets", "measured_sets"]


@dataclass(frozen=True)
class TestSet:
    """Pictures that are averaged together.

    Attributes:
        name: ``"kodak"``, or of the folder.
        files: in the order of their names.
        side: of larger pictures only the centre is used, at most so many pixels high and wide; ``None`` for
            all of them.
    """

    __test__ = False  # it is no test, whatever pytest makes of its name

    name: str
    files: tuple[Path, ...]
    side: int | None = None

    def pixels(self, file: Path) -> Pixels:
        """Colours of a picture, uint8 (H, W, 3), or (H, W) of a grey one; alpha is left out."""
        colour = read_image(file.read_bytes()).colour
        if self.side is None:
            return colour
        top, left = (max(0, (size - self.side) // 2) for size in colour.shape[:2])
        return np.ascontiguousarray(colour[top : top + self.side, left : left + self.side])


def find_sets(kodak: Path, ood: Path, side: int | None) -> tuple[TestSet | None, list[TestSet]]:
    """Kodak, if it is there, and a set for each folder inside ``ood``.

    Args:
        kodak, ood: folders.
        side: see :class:`TestSet`; Kodak's pictures are always used whole.

    Raises:
        GlicError: neither is there.
    """
    photographs = TestSet("kodak", _pictures(kodak)) if kodak.is_dir() else None
    folders = sorted(path for path in ood.iterdir() if path.is_dir()) if ood.is_dir() else []
    if photographs is None and not folders:
        raise GlicError(f"There is nothing to measure on: neither {kodak} nor folders in {ood} exist.")
    return photographs, [TestSet(folder.name, _pictures(folder), side) for folder in folders]


def _pictures(folder: Path) -> tuple[Path, ...]:
    """Files of a folder; Kodak's would be compared with means over all of them."""
    found: Sequence[Path] = [file.path for file in build_catalogue(folder).files]
    return tuple(found)


@dataclass(frozen=True)
class MeasuredSets:
    """Sets that were measured with the same codecs, ours first.

    Attributes:
        sets: the pictures.
        comparisons: of each set, by its name.
        steps: number of our codec's steps, which come first in every comparison.
        classical: codecs that were measured with it.
        missing: a sentence for each that could not be.
        origins: where and when the measurements were made.
    """

    sets: Sequence[TestSet]
    comparisons: dict[str, list[Comparison]]
    steps: int
    classical: Sequence[Baseline]
    missing: Sequence[str]
    origins: Sequence[Origin]


def measured_sets(
    sets: Sequence[TestSet],
    learned: Sequence[ImageCodec],
    qualities: Sequence[float],
    codecs: str,
    kept: Path,
) -> MeasuredSets:
    """Measure what is not kept yet.

    Args:
        sets: pictures.
        learned: ours first; may be none.
        qualities: steps of those that have qualities.
        codecs: names of classical ones, with commas between them.
        kept: file of the measurements.

    Raises:
        GlicError: there is no codec of a name.
    """
    names = codecs.split(",")
    if unknown := [name for name in names if name not in BASELINES]:
        raise GlicError(f"There is no codec {unknown[0]}; there are {', '.join(BASELINES)}.")
    wanted = [BASELINES[name] for name in names]
    classical = [codec for codec in wanted if codec.missing() is None]
    left_out = [codec for codec in wanted if codec not in classical]
    missing = [f"{codec.title} is left out: it needs {codec.missing()}." for codec in left_out]
    ours = learned_sweeps(learned, qualities, [_identity(codec) for codec in learned])
    points = ours + [baseline_point(codec, setting) for codec in classical for setting in codec.sweep]
    measurements = MeasurementCache(kept)
    comparisons = {pictures.name: _measure(points, pictures, measurements) for pictures in sets}
    steps = sum(point.codec == ours[0].codec for point in ours) if ours else 0
    return MeasuredSets(sets, comparisons, steps, classical, missing, sorted(measurements.origins))


def code_fingerprint() -> str:
    """SHA-256, hex, of all code that makes our files: our codec is measured again when it changes."""
    package, said = Path(glic_pyg.__file__).parent, hashlib.sha256()
    for pattern in ("*", *(f"{folder}/**/*" for folder in ("graph", "nn", "models", "codec"))):
        for path in sorted(package.glob(pattern)):
            if path.suffix in (".py", ".c", ".h"):
                said.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return said.hexdigest()


def _identity(codec: ImageCodec) -> str:
    weights = weights_hash(codec.model)
    return f"weights {weights}; float32 on {codec.device}; code {code_fingerprint()}"


def _measure(points: Sequence[OperatingPoint], pictures: TestSet, kept: MeasurementCache) -> list[Comparison]:
    """One picture after the other, with a line for each that took time."""
    found = []
    with TemporaryDirectory() as folder:
        for number, file in enumerate(pictures.files, start=1):
            start = time.perf_counter()
            found.append(measure_sweep(points, file.stem, pictures.pixels(file), Path(folder), kept.measure))
            if (seconds := time.perf_counter() - start) > 1:
                where = f"{pictures.name} {number}/{len(pictures.files)}"
                print(f"{where}  {file.stem}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return found
