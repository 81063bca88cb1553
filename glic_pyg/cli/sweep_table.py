"""Jobs of a sweep as files: a record and metrics in the folder of each, and one table of all of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from glic_pyg.files import write_file

__all__ = [
    "TABLE",
    "JobRecord",
    "as_csv",
    "as_markdown",
    "find_records",
    "find_sweep",
    "read_metrics",
    "read_record",
    "sweep_rows",
    "write_metrics",
    "write_plan",
    "write_record",
    "write_table",
]

_METRICS = "metrics.json"
_RECORD = "job.json"
_MAY_CHANGE = ("name", "trainer", "logger", "callbacks", "paths", "threads", "objective")
"""Keys and groups that say where and how fast a job runs, not what it computes."""
TABLE = "table"
_PLAN = "planned.json"
_SHOWN = ("val/", "test/")
"""Beginnings of the metrics that the Markdown table has room for."""


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


Rows = Mapping[str, JobRecord]
"""Jobs by the name of their folder."""


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


def write_plan(folder: Path, jobs: Mapping[str, Sequence[str]]) -> None:
    """Keep the list of the jobs that a sweep is going to do.

    Args:
        folder: of the sweep.
        jobs: the overrides of each job by its expected folder, relative to the sweep's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / _PLAN, json.dumps(jobs, indent=1) + "\n")


def find_sweep(folder: Path) -> Path | None:
    """The folder of the sweep that a job's folder lies in, or is; None if there is none."""
    return next((place for place in (folder, *folder.parents) if (place / _PLAN).is_file()), None)


def sweep_rows(folder: Path) -> Rows:
    """All jobs of a sweep: those planned, in that order, then those of earlier plans.

    A planned job without a record has the status ``"not started"``.
    """
    found, plan = find_records(folder), folder / _PLAN
    planned: dict[str, list[str]] = json.loads(plan.read_text(encoding="utf-8")) if plan.is_file() else {}
    rows = {}
    for name, overrides in planned.items():
        same = [
            other
            for other, record in found.items()
            if (other == name or other not in planned) and not record.differences(overrides)
        ]
        if same:
            rows[same[0]] = found.pop(same[0])
        else:
            rows[name] = _not_started(overrides, found.pop(name, None))
    return rows | found


def _not_started(overrides: Sequence[str], other: JobRecord | None) -> JobRecord:
    clash = f"its folder holds another job ({', '.join(other.differences(overrides))})" if other else ""
    return JobRecord(overrides, "not started", clash)


def write_table(folder: Path) -> Rows:
    """Write ``table.csv`` and ``table.md`` into the sweep's folder and return the rows."""
    rows = sweep_rows(folder)
    write_file(folder / f"{TABLE}.csv", as_csv(rows))
    write_file(folder / f"{TABLE}.md", as_markdown(rows))
    return rows


def as_csv(rows: Rows) -> str:
    """Every setting that differs between the jobs and every metric, one column each."""
    settings = {name: _settings(record.overrides) for name, record in rows.items()}
    varied = [key for key in _union(settings.values()) if len({s.get(key) for s in settings.values()}) > 1]
    metrics = _union([record.metrics for record in rows.values()])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["run", *varied, "status", "reason", "seconds", *metrics])
    for name, record in rows.items():
        about = [record.status, record.reason, f"{record.seconds:.1f}"]
        values = [record.metrics.get(metric, "") for metric in metrics]
        writer.writerow([name, *(settings[name].get(key, "") for key in varied), *about, *values])
    return out.getvalue()


def as_markdown(rows: Rows) -> str:
    """Name, status and the metrics of validation or test, to five digits."""
    from glic_pyg.evaluation.tables import markdown_table

    known = _union([record.metrics for record in rows.values()])
    metrics = [metric for metric in known if metric.startswith(_SHOWN)]
    metrics.sort(key=lambda metric: not metric.endswith(("/bpp", "/psnr")))  # these first
    lines = []
    for name, record in rows.items():
        figures = [f"{record.metrics[m]:.5g}" if m in record.metrics else "" for m in metrics]
        status = f"{record.status}: {record.reason}" if record.reason else record.status
        lines.append([name, status, *figures])
    return markdown_table(["run", "status", *metrics], lines, left=2) + "\n"


def _settings(overrides: Sequence[str]) -> dict[str, str]:
    pairs = (override.partition("=") for override in overrides)
    return {key: value for key, _, value in pairs}


def _union(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    """All keys, in order of first appearance."""
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))
