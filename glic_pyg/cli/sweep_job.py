"""One job of a sweep: a process of its own, whatever the launcher; skipped when done, resumed when not."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from glic_pyg.cli.hydra_options import quoted
from glic_pyg.cli.job_record import JobRecord, read_metrics, read_record, write_record
from glic_pyg.cli.processes import PARENT, is_first_process
from glic_pyg.cli.sweep_table import write_table

__all__ = ["CONSOLE", "in_sweep", "run_sweep_job"]

log = logging.getLogger(__name__)

CONSOLE = "console.log"
"""What the job prints, beside its own log, in its folder."""

_OF_THE_SWEEP = (
    "hydra.mode",
    "hydra.run",
    "hydra.sweep",  # and hydra.sweeper
    "hydra/sweeper",
    "hydra.launcher",
    "hydra/launcher",
    "hydra.job.config",
)
"""Beginnings of Hydra's settings that do not concern a single job."""


def in_sweep() -> bool:
    """Whether Hydra runs this job as one of a sweep."""
    return bool(HydraConfig.get().mode == RunMode.MULTIRUN)


def run_sweep_job(command: str, *more: str) -> dict[str, float]:
    """Do the current job of a sweep in a fresh process with the same configuration.

    Nothing is raised when the job fails: its folder says so, and the sweep goes on.

    Args:
        command: of ``glic``.
        more: overrides to add, e.g. to go on with a run.

    Returns:
        The final metrics; empty if there are none.

    Raises:
        SystemExit: the sweep was told to stop (SIGTERM, Ctrl-C); the job was given time to save.
    """
    folder, overrides = Path(HydraConfig.get().runtime.output_dir), _as_typed("task")
    before = read_record(folder)
    if before and (other := before.differences(overrides)):
        log.error("%s was made with other settings (%s); choose another name=...", folder, ", ".join(other))
        return {}
    if before and before.status == "finished":
        log.info("%s: finished before, skipped", folder.name)
        return dict(before.metrics)
    record = _run(_command_line(command, folder, more), folder, overrides)
    reason = f": {record.reason}" if record.reason else ""
    log.info("%s: %s after %.0f s%s", folder.name, record.status, record.seconds, reason)
    return dict(record.metrics)


def _command_line(command: str, folder: Path, more: Sequence[str]) -> list[str]:
    """The job as a command of its own, which a user could type as well."""
    settings = HydraConfig.get()
    own = [o for o in _as_typed("hydra") if not o.lstrip("+~").startswith(_OF_THE_SWEEP)]
    own += [o for o in _as_typed("task") if not o.startswith("name=")]
    extra = [s.path for s in settings.runtime.config_sources if s.provider == "command-line"]
    folders = [word for path in extra for word in ("--config-dir", path)]
    sweep = Path(settings.sweep.dir).absolute()
    name = Path(sweep.name) / os.path.relpath(folder, sweep)
    place = [f"name={quoted(str(name))}", f"hydra.run.dir={quoted(str(folder))}"]
    return [sys.executable, "-m", "glic_pyg", command, *folders, *own, *place, *more]


def _as_typed(kind: str) -> list[str]:
    """Overrides of the job (``"task"``), or of Hydra (``"hydra"``), with ``${...}`` as it stands."""
    overrides: Any = OmegaConf.to_container(cast(DictConfig, HydraConfig.get().overrides), resolve=False)
    return list(overrides[kind])


def _run(command: Sequence[str], folder: Path, overrides: Sequence[str]) -> JobRecord:
    """Start the process, wait for it, and keep the record up to date."""
    start = time.monotonic()
    _keep(folder, JobRecord(overrides, "running"))
    with (folder / CONSOLE if is_first_process() else Path(os.devnull)).open("wb") as console:
        environment = os.environ | {PARENT: str(os.getpid())}
        process = subprocess.Popen(
            command, stdout=console, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        with _stops_passed_on(process) as received:
            process.wait()
    record = _outcome(process.returncode, bool(received), folder, overrides, time.monotonic() - start)
    _keep(folder, record)
    if received:
        log.warning("told to stop; the same command goes on from here")
        raise SystemExit(128 + received[0])
    return record


@contextmanager
def _stops_passed_on(process: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """While waiting, tell the process to stop when this one is told to; yields the signals received.

    The process is in a session of its own, so that Ctrl-C reaches it through here only.
    """
    received: list[int] = []

    def stop(number: int, frame: Any) -> None:
        received.append(number)
        process.terminate()

    signals = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _outcome(code: int, stopped: bool, folder: Path, overrides: Sequence[str], seconds: float) -> JobRecord:
    if code == 0 and is_first_process():
        return JobRecord(overrides, "finished", "", read_metrics(folder), seconds)
    if stopped or code in (128 + signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGHUP):
        return JobRecord(overrides, "stopped", "told to stop", {}, seconds)
    return JobRecord(overrides, "failed", _reason(code, folder / CONSOLE), {}, seconds)


def _reason(code: int, console: Path) -> str:
    """The last thing the process printed, or the signal that killed it."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = console.read_text(encoding="utf-8", errors="replace").split("\n") if console.is_file() else []
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:300] if said else f"exit code {code}"


def _keep(folder: Path, record: JobRecord) -> None:
    """Write the record, and the sweep's table with it; only the first process of a job does."""
    if is_first_process():
        write_record(folder, record)
        write_table(Path(HydraConfig.get().sweep.dir))
