"""Measurements kept on disk, so that what did not change is not measured again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glic_pyg.evaluation.measure import Measured, Pixels, Rung, measure_file
from glic_pyg.evaluation.provenance import provenance
from glic_pyg.evaluation.quality import Quality

__all__ = ["Measurements", "Origin"]

_FORM = 1
"""Of a line, and of how it was measured; what another form measured is measured anew."""


@dataclass(frozen=True, order=True)
class Origin:
    """Where and when something was measured."""

    date: str
    machine: str


class Measurements:
    """A file with one JSON line a measurement, found again by what it depends on.

    The key is a SHA-256 of the picture's pixels and of the rung: its codec, setting and
    :attr:`~glic_pyg.evaluation.measure.Rung.identity`. So a new version of a codec, other options, other
    weights or another picture are measured anew, whatever they are called. Lines are only ever appended, and
    at once: a run that was interrupted goes on where it was.

    Args:
        path: of the file, made when there is something to keep.

    Attributes:
        origins: of all measurements that were asked for, old ones and new ones.
    """

    def __init__(self, path: Path) -> None:
        self.origins: set[Origin] = set()
        self._path = path
        self._known = _read(path)

    def measured(self, rung: Rung, original: Pixels, file: Path) -> Measured:
        """What :func:`~glic_pyg.evaluation.measure.measure_file` finds, or found before."""
        key = _key(rung, original)
        if rung.identity is None or key not in self._known:
            how = provenance([])
            values = asdict(measure_file(rung, original, file))
            self._keep({"key": key, "date": how.date, "machine": str(how.machine), "measured": values})
        record = self._known[key]
        self.origins.add(Origin(record["date"], record["machine"]))
        values = record["measured"]
        return Measured(**{**values, "quality": Quality(**values["quality"])})

    def _keep(self, record: dict[str, Any]) -> None:
        """Append one line; the empty one before it ends one that was cut off."""
        self._known[record["key"]] = record
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as out:
            out.write(f"\n{json.dumps(record)}\n")


def _read(path: Path) -> dict[str, Any]:
    """Records by key; a line that is no record, such as one that was cut off, counts for nothing."""
    known: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            record = json.loads(line)
            known[record["key"]] = record
        except (ValueError, KeyError, TypeError):
            continue
    return known


def _key(rung: Rung, original: Pixels) -> str:
    said = json.dumps([_FORM, rung.codec, rung.setting, rung.identity, list(original.shape)])
    return hashlib.sha256(said.encode() + original.tobytes()).hexdigest()
