"""Measurements kept on disk, so that only what changed is measured again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glic_pyg.evaluation.measure import Measurement, OperatingPoint, Quality, measure_file
from glic_pyg.evaluation.provenance import provenance
from glic_pyg.types import Pixels

__all__ = ["MeasurementCache", "Origin"]

_FORM = 1
"""Version of a line and of how it was measured; lines of another version are not used."""


@dataclass(frozen=True, order=True)
class Origin:
    """Where and when something was measured."""

    date: str
    machine: str


class MeasurementCache:
    """A file with one JSON line per measurement, keyed by everything that it depends on.

    The key is a SHA-256 of the pixels and of the operating point: codec, setting and
    :attr:`~glic_pyg.evaluation.measure.OperatingPoint.identity`. So a new version of a codec, other options
    or weights, or a changed image are measured again, whatever they are called. Lines are appended at once,
    so an interrupted run continues where it stopped.

    Args:
        path: of the file; created with the first measurement.

    Attributes:
        origins: of all measurements that were asked for, old and new.
    """

    def __init__(self, path: Path) -> None:
        self.origins: set[Origin] = set()
        self._path = path
        self._known = _read(path)

    def measure(self, point: OperatingPoint, original: Pixels, file: Path) -> Measurement:
        """What :func:`~glic_pyg.evaluation.measure.measure_file` finds now, or found before."""
        key = _key(point, original)
        if point.identity is None or key not in self._known:
            how = provenance([])
            values = asdict(measure_file(point, original, file))
            self._append({"key": key, "date": how.date, "machine": str(how.machine), "measured": values})
        record = self._known[key]
        self.origins.add(Origin(record["date"], record["machine"]))
        values = record["measured"]
        return Measurement(**{**values, "quality": Quality(**values["quality"])})

    def _append(self, record: dict[str, Any]) -> None:
        """Append one line, after an empty one that ends a line which was cut off."""
        self._known[record["key"]] = record
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as out:
            out.write(f"\n{json.dumps(record)}\n")


def _read(path: Path) -> dict[str, Any]:
    """Records by key; lines that are no record, such as one that was cut off, are skipped."""
    known: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            record = json.loads(line)
            known[record["key"]] = record
        except (ValueError, KeyError, TypeError):
            continue
    return known


def _key(point: OperatingPoint, original: Pixels) -> str:
    text = json.dumps([_FORM, point.codec, point.setting, point.identity, list(original.shape)])
    return hashlib.sha256(text.encode() + original.tobytes()).hexdigest()
