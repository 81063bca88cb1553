"""One table of all jobs of a sweep, as CSV and Markdown in its folder, up to date after every job."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from glic_pyg.cli.job_record import JobRecord, find_records
from glic_pyg.files import write_file

__all__ = ["TABLE", "as_csv", "as_markdown", "find_sweep", "sweep_rows", "write_plan", "write_table"]

TABLE = "table"
_PLAN = "planned.json"
_SHOWN = ("val/", "test/")
"""Beginnings of the metrics that the Markdown table has room for."""

Rows = Mapping[str, JobRecord]
"""Jobs by the name of their folder."""


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
        same = [other for other, record in found.items() if not record.differences(overrides)]
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
