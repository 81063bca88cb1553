"""Every codec on every picture of a set, by rungs, each measured once."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import glic_pyg
from benchmarks.results.pictures import TestSet
from glic_pyg.evaluation.classical.contract import ClassicalCodec
from glic_pyg.evaluation.comparison import Comparison, measure_ladder
from glic_pyg.evaluation.measure import Rung, classical_rung
from glic_pyg.evaluation.measurements import Measurements

__all__ = ["classical_rungs", "code_fingerprint", "measure_set"]

_ROOMS = ("graph", "nn", "models", "codec")


def classical_rungs(codecs: Sequence[ClassicalCodec]) -> list[Rung]:
    """The ladders of codecs, one after the other."""
    return [classical_rung(codec, setting) for codec in codecs for setting in codec.ladder]


def measure_set(rungs: Sequence[Rung], pictures: TestSet, kept: Measurements) -> list[Comparison]:
    """Measure what is not kept yet, with a line for each picture that took time."""
    found = []
    with TemporaryDirectory() as folder:
        for number, file in enumerate(pictures.files, start=1):
            start = time.perf_counter()
            found.append(measure_ladder(rungs, file.stem, pictures.pixels(file), Path(folder), kept))
            if (seconds := time.perf_counter() - start) > 1:
                where = f"{pictures.name} {number}/{len(pictures.files)}"
                print(f"{where}  {file.stem}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return found


def code_fingerprint() -> str:
    """SHA-256, hex, of all code between pixels and a file of ours: other code is measured anew."""
    package, said = Path(glic_pyg.__file__).parent, hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((package / room).rglob("*")):
            if path.suffix in (".py", ".c"):
                said.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return said.hexdigest()
