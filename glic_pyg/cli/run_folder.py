"""The folder of a run: one training at a time, a record of its settings, nothing of a run that is refused."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from glic_pyg.cli.processes import is_first_process
from glic_pyg.errors import GlicError

__all__ = ["RunFolderError", "alone_in", "keep_settings", "removed_if_refused"]

_LOCK = ".lock"
_SETTINGS = ".hydra"


class RunFolderError(GlicError):
    """The run cannot start in its folder."""


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
