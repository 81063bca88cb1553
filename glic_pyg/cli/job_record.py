"""What became of one job of a sweep, kept as a file in the job's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from glic_pyg.files import write_file

__all__ = ["JobRecord", "find_records", "read_metrics", "read_record", "write_metrics", "write_record"]

_METRICS = "metrics.json"
_RECORD = "job.json"
_MAY_CHANGE = ("name", "trainer", "logger", "callbacks", "paths", "threads")
"""Keys and groups that say where and how fast a job runs, not what it computes."""


@dataclass(frozen=True)
class JobRecord:
    """One job.

    Attributes:
        overrides: settings that define the job, as typed on a command line.
        status: ``"running"``, ``"finished"``, ``"failed"`` or ``"stopped"``; a job that was killed together
            with its sweep goes on saying that it runs.
        reason: why it failed, one line.
        metrics: final values by name, of a finished job.
        seconds: wall time of the last attempt.
    """

    overrides: Sequence[str]
    status: str
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def differences(self, overrides: Sequence[str]) -> list[str]:
        """Settings that are in only one of the two lists, apart from those that may change."""
        other = set(self.overrides) ^ set(overrides)
        return sorted(o for o in other if not o.lstrip("+~").startswith(_MAY_CHANGE))


def read_record(folder: Path) -> JobRecord | None:
    """The record in a job's folder, if it has one."""
    path = folder / _RECORD
    return JobRecord(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def write_record(folder: Path, record: JobRecord) -> None:
    """Keep the record in the job's folder."""
    write_file(folder / _RECORD, json.dumps(asdict(record), indent=1) + "\n")


def find_records(folder: Path) -> dict[str, JobRecord]:
    """All records in a sweep's folder and below, by the job's folder relative to it."""
    records = {path.parent: read_record(path.parent) for path in sorted(folder.rglob(_RECORD))}
    return {str(path.relative_to(folder)): record for path, record in records.items() if record}


def read_metrics(folder: Path) -> dict[str, float]:
    """What :func:`write_metrics` kept; nothing if it did not."""
    path = folder / _METRICS
    values: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return values


def write_metrics(folder: Path, metrics: Mapping[str, float]) -> None:
    """Keep the final values of a run in its folder."""
    write_file(folder / _METRICS, (json.dumps(dict(sorted(metrics.items())), indent=1) + "\n"))
