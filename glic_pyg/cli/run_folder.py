"""The folder of a run: who writes it, what is kept there, and how its weights are found.

One training at a time works in a folder, the first of its processes writes there, and a run that is refused
leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import distributions
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from glic_pyg.errors import GlicError, WeightsNotFound
from glic_pyg.files import write_file

__all__ = [
    "PARENT",
    "RunFolderError",
    "alone_in",
    "arguments_of_this_process",
    "end_with_parent",
    "find_weights",
    "is_first_process",
    "keep_settings",
    "removed_if_refused",
    "title_of",
    "write_run_record",
]


PARENT = "GLIC_SWEEP_PROCESS"
"""Environment variable: the process of the sweep that started this one, by its number."""
_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")  # torchrun, SLURM, Lightning
_SIZES = ("WORLD_SIZE", "SLURM_NTASKS")
_QUIET = ("hydra.output_subdir=null", "hydra/job_logging=none", "hydra/hydra_logging=none")
_SET_PDEATHSIG = 1  # of Linux's prctl
_LOCK = ".lock"
_SETTINGS = ".hydra"
_LMBDA = "loss.lmbda="


class RunFolderError(GlicError):
    """The run cannot start in its folder."""


def is_first_process() -> bool:
    """Whether this process writes the run's files: it is rank 0, or alone."""
    return _first_number(_RANKS, 0) == 0


def _first_number(variables: Sequence[str], default: int) -> int:
    """The first of these environment variables that is set."""
    return next((int(os.environ[name]) for name in variables if name in os.environ), default)


def arguments_of_this_process(argv: Sequence[str]) -> list[str]:
    """Arguments for Hydra: processes after the first keep no configuration and no log of their own.

    Raises:
        SystemExit: torchrun or SLURM started several processes without a name for their common folder.
    """
    arguments = list(argv)
    named = any(argument.startswith(("name=", "hydra.run.dir=", "-")) for argument in arguments)
    if _first_number(_SIZES, 1) > 1 and not named:
        raise SystemExit("glic: give this run a name=..., so that all of its processes use one folder.")
    quiet = () if is_first_process() else _QUIET
    return arguments + [argument for argument in quiet if argument not in arguments]


def end_with_parent() -> None:
    """Be told to stop (SIGTERM) when the sweep that started this process is killed; on Linux only."""
    parent = os.environ.pop(PARENT, None)  # what this process starts has another parent
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        raise SystemExit("glic: the sweep ended before this job began.")


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep others out of a run's folder; the system gives it free when the process ends, however it does.

    Raises:
        RunFolderError: another process trains there.
    """
    if not is_first_process():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunFolderError(
                f"Another process is training in {folder}; wait for it, or stop it."
            ) from error
        yield


@contextmanager
def removed_if_refused(folder: Path, runs: Path) -> Iterator[Callable[[], None]]:
    """Leave nothing of a run that ends before it has begun: no folder, or no new files in one that had some.

    Args:
        folder: of the run; Hydra has made it, and an empty log in it.
        runs: the folder of all runs, which goes too if nothing is left in it.

    Yields:
        What to call when the run begins to have something worth keeping.
    """
    begun: list[bool] = []
    log, lock = folder / f"{HydraConfig.get().job.name}.log", folder / _LOCK
    keep = set(folder.iterdir()) - {lock} if folder.is_dir() else set()
    if log in keep and not log.stat().st_size:
        keep.remove(log)
    if keep:
        keep.add(lock)
    try:
        yield lambda: begun.append(True)
    except BaseException:
        if not begun and is_first_process():
            _remove(folder, keep, runs)
        raise


def _remove(folder: Path, keep: set[Path], runs: Path) -> None:
    for path in set(folder.iterdir()) - keep:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    with suppress(OSError):  # not empty
        for place in (folder.resolve(), *folder.resolve().parents):
            if place.is_relative_to(runs.resolve()) or place == folder.resolve():
                place.rmdir()


def keep_settings(cfg: DictConfig, folder: Path) -> None:
    """Write the configuration and what was typed to ``.hydra``, where Hydra itself would have before the run.

    It waits until the run begins: one that is refused must not leave its settings in the folder of another.
    """
    if not is_first_process():
        return
    hydra, place = HydraConfig.get(), folder / _SETTINGS
    place.mkdir(parents=True, exist_ok=True)
    for name, node in {"config": cfg, "hydra": {"hydra": hydra}, "overrides": hydra.overrides.task}.items():
        (place / f"{name}.yaml").write_text(OmegaConf.to_yaml(node), encoding="utf-8")


def find_weights(given: str | Sequence[str]) -> list[Path]:
    """Weights files, in the order in which they are named.

    Args:
        given: a weights file, a folder (all weights files in it and below), or several of these.

    Raises:
        WeightsNotFound: there is none.
    """
    found: list[Path] = []
    for path in map(Path, [given] if isinstance(given, str) else given):
        below = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
        if not below:
            raise WeightsNotFound(f"There are no weights in {path}: no run has validated there yet.")
        found += below
    return found


def title_of(path: Path) -> str:
    """What to call weights beside others: the file's name, or the run's, if a run made them.

    The weights of a sweep's jobs are told apart by what was swept, with λ at the end, so that equal settings
    are one curve: ``loss.lmbda=0.0035,seed=1/glic_xs.safetensors`` is ``glic_xs,seed=1-0.0035``.
    """
    name, run = path.name.removesuffix(".safetensors"), path.absolute().parent
    if not (run / ".hydra").is_dir():
        return name
    swept = run.name.split(",")
    if not all("=" in setting for setting in swept):
        return run.name
    lmbda = [f"-{setting.removeprefix(_LMBDA)}" for setting in swept if setting.startswith(_LMBDA)]
    return ",".join([name, *(s for s in swept if not s.startswith(_LMBDA))]) + "".join(lmbda)


def write_run_record(path: Path) -> None:
    """Write as JSON what a run is made with: Python, platform, distributions, the git commit."""
    record = {
        "python": sys.version,
        "platform": platform.platform(),
        "packages": dict(sorted((d.metadata["Name"], d.version) for d in distributions())),
        "git": {
            "commit": _git("rev-parse", "HEAD"),
            "changed": _git("status", "--short", "--untracked-files=no"),
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(record, indent=2) + "\n")


def _git(*arguments: str) -> str | None:
    folder = Path(__file__).parent
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
