"""Sweeps over Hydra's ``-m``: planning, one process per job, chains over λ, the table at the end.

Every job runs in a process of its own, whatever the launcher; a finished one is skipped, another is resumed.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from glic_pyg.cli.hydra import quoted
from glic_pyg.cli.run_folder import PARENT, RunFolderError, find_weights, is_first_process
from glic_pyg.cli.sweep_table import (
    TABLE,
    JobRecord,
    as_markdown,
    find_sweep,
    read_metrics,
    read_record,
    sweep_rows,
    write_plan,
    write_record,
    write_table,
)

__all__ = ["CONSOLE", "NEIGHBOUR", "Sweep", "in_sweep", "neighbour_weights", "run_sweep_job"]

NEIGHBOUR = "neighbour"
"""Value of ``start_from`` that asks for this."""
_KEY = "loss.lmbda="
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


class Sweep(Callback):
    """Plans a sweep before it starts and prints its table after it has ended; looks at the name of a run.

    A job's folder is named after what is swept, e.g. ``loss.lmbda=0.0018,source.alpha=0.01``, so that
    a sweep that is started again, perhaps with more values, finds what it has done.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse a name that leads out of the folder of all runs, before Hydra makes a folder of it.

        Raises:
            SystemExit: it does.
        """
        try:
            name = Path(str(config.name))
        except OmegaConfBaseException:  # Hydra itself is about to say what is wrong with it
            return
        if not name.parts or name.is_absolute() or ".." in name.parts:
            command, runs = config.hydra.job.name, config.paths.runs
            raise SystemExit(
                f"glic {command}: name={name} must be the name of a folder inside paths.runs={runs}."
            )

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Name the folders and keep the list of jobs.

        Raises:
            SystemExit: the jobs should go to a cluster that cannot be reached from here or has no machine
                that is large enough, or all at once although each needs the one before.
        """
        if config.hydra.launcher._target_.endswith("SlurmLauncher") and not shutil.which("srun"):
            raise SystemExit("glic: there is no srun here; start the sweep on a machine of the cluster.")
        self.on_run_start(config)
        one_by_one = config.hydra.launcher._target_.endswith("BasicLauncher")
        overrides = _overrides(config)
        if f"start_from={NEIGHBOUR}" in config.hydra.overrides.task and not one_by_one:
            raise SystemExit(
                f"glic: with start_from={NEIGHBOUR} one job follows the other; leave hydra/launcher out."
            )
        fixed = ",".join(f"'{o.key_or_group}'" for o in overrides if not o.is_sweep_override())
        with read_write(config), open_dict(config):
            config.hydra.overrides.hydra.append(f"hydra.job.config.override_dirname.exclude_keys=[{fixed}]")
        if config.hydra.launcher._target_.endswith(".RayLauncher"):
            _join_ray(config.hydra.launcher.ray)
        folder = Path(config.hydra.sweep.dir)
        write_plan(folder, _jobs(overrides))
        write_table(folder)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the table, name what is not finished, and end with code 1 if there is such a job."""
        folder = Path(config.hydra.sweep.dir)
        rows = write_table(folder)
        print(f"\n{as_markdown(rows)}\nEvery setting and metric: {folder / TABLE}.csv")
        unfinished = {name: record for name, record in rows.items() if record.status != "finished"}
        for name, record in unfinished.items():
            reason = f": {record.reason}" if record.reason else ""
            print(f"not finished: {name}, {record.status}{reason}", file=sys.stderr)
        if unfinished:
            raise SystemExit(1)


def _join_ray(settings: DictConfig) -> None:
    """Join the cluster that the launcher goes on to use; Ray would wait for ever for a machine it lacks.

    Raises:
        SystemExit: there is no cluster, or none of its machines has the processors that a job asks for.
    """
    import ray

    wanted = {"CPU": settings.remote.get("num_cpus") or 1, "GPU": settings.remote.get("num_gpus") or 0}
    address = settings.init.get("address")
    try:
        if host := re.fullmatch(r"(?:\w+://)?([\w.-]+):(\d+)", str(address)):  # Ray knocks for many minutes
            socket.create_connection((host[1], int(host[2])), timeout=30).close()
        ray.init(**cast(dict[str, Any], OmegaConf.to_container(settings.init, resolve=True)))
    except OSError as error:
        raise SystemExit(
            f"glic: no Ray cluster runs at {address}; start one by ray start --head, or have one for this "
            "sweep by hydra.launcher.ray.init.address=null."
        ) from error
    machines: list[dict[str, float]] = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(has.get(name, 0) >= count for name, count in wanted.items()) for has in machines):
        largest = max(machines, key=lambda has: (has.get("GPU", 0), has.get("CPU", 0)), default={})
        cpus, gpus = (f"{largest.get(name, 0):g}" for name in wanted)
        raise SystemExit(
            f"glic: no machine of the Ray cluster has the {wanted['CPU']:g} CPUs and {wanted['GPU']:g} GPUs "
            f"of a job; the largest has {cpus} and {gpus}: hydra.launcher.ray.remote.num_cpus={cpus} "
            f"hydra.launcher.ray.remote.num_gpus={gpus}."
        )


def _overrides(config: DictConfig) -> list[Override]:
    """What defines the sweep, from configuration and command line; the last setting of a key counts."""
    params = config.hydra.sweeper.get("params") or {}
    typed: Any = OmegaConf.to_container(
        config.hydra.overrides.task, resolve=False
    )  # with ${...} as it stands
    texts = [f"{key}={value}" for key, value in params.items()] + typed
    parsed = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(texts)
    return list({override.get_key_element(): override for override in parsed}.values())


def _jobs(overrides: list[Override]) -> dict[str, list[str]]:
    """Every job's overrides by its folder; empty for sweepers that decide as they go."""
    if any(o.is_sweep_override() and not o.is_discrete_sweep() for o in overrides):
        return {}
    swept = [o.is_sweep_override() for o in overrides]
    jobs = itertools.product(*(_choices(override) for override in overrides))
    return {",".join(sorted(itertools.compress(job, swept))): list(job) for job in jobs}


def _choices(override: Override) -> list[str]:
    key = override.get_key_element()
    if override.is_sweep_override():
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [f"{key}={override.get_value_element_as_str()}"]


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


def neighbour_weights(folder: Path) -> Path | None:
    """The weights of the job with the λ before this one's, all else being equal.

    Args:
        folder: of this job.

    Returns:
        A weights file; None for the first job of a chain.

    Raises:
        RunFolderError: this is no job of a sweep over λ, or the one before has not finished.
    """
    sweep, record = find_sweep(folder), read_record(folder)
    if sweep is None or record is None or not any(o.startswith(_KEY) for o in record.overrides):
        raise RunFolderError(
            f"start_from={NEIGHBOUR} is for sweeps over λ: glic train -m loss.lmbda=0.05,0.025 "
            f"start_from={NEIGHBOUR} name=..."
        )
    rows = sweep_rows(sweep)
    chain = [name for name, other in rows.items() if _rest(other.overrides) == _rest(record.overrides)]
    place = chain.index(str(folder.relative_to(sweep)))
    if place == 0:
        return None
    before = chain[place - 1]
    if rows[before].status != "finished":
        raise RunFolderError(
            f"{before}, which this job starts from, is not finished ({rows[before].status})."
        )
    return find_weights(str(sweep / before))[0]


def _rest(overrides: Sequence[str]) -> set[str]:
    """Everything but λ."""
    return {override for override in overrides if not override.startswith(_KEY)}
