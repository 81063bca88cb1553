"""Records of a study's runs, kept between calls of its command, and values over seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from glic_pyg.errors import GlicError
from glic_pyg.files import write_file

__all__ = ["Record", "RunRecords", "Spread"]

Record = dict[str, Any]
"""``settings``: everything that the results of the run depend on; beside them what the study measured."""


class RunRecords:
    """A folder with a small JSON file for every finished run.

    Args:
        folder: created if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str, settings: Mapping[str, Any]) -> Record | None:
        """The record of a run; ``None`` if there is none.

        Raises:
            GlicError: it was made with other settings, so it belongs to another study.
        """
        path = self.file(name, "json")
        if not path.is_file():
            return None
        record: Record = json.loads(path.read_text(encoding="utf-8"))
        if record["settings"] != json.loads(json.dumps(settings)):
            raise GlicError(f"{path} was made with other settings; choose another --folder or remove it.")
        return record

    def write(self, name: str, record: Record) -> None:
        """Write the record of a run, replacing an older one."""
        write_file(self.file(name, "json"), json.dumps(record, indent=1) + "\n")

    def file(self, name: str, suffix: str) -> Path:
        """Path of a run's file of that kind."""
        return self.folder / f"{name}.{suffix}"


class Spread(NamedTuple):
    """One value per seed, written as mean (lowest … highest)."""

    values: tuple[float, ...]

    def __str__(self) -> str:
        if not self.values:
            return "n/a"
        if len(self.values) == 1:
            return f"{self.values[0]:+.2f}"
        return f"{fmean(self.values):+.2f} ({min(self.values):+.2f} … {max(self.values):+.2f})"
