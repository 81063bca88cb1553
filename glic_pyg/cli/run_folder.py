"""The folder of a run: one training at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glic_pyg.cli.processes import is_first_process
from glic_pyg.codec.errors import GlicError

__all__ = ["RunFolderError", "alone_in"]


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
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunFolderError(
                f"Another process is training in {folder}; wait for it, or stop it."
            ) from error
        yield
