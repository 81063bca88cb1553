"""Loggers that outlive a full disk: what they cannot write is lost, and the run goes on."""

from __future__ import annotations

import errno
import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from lightning.pytorch.loggers import Logger

__all__ = ["is_full_disk", "outlive_full_disk", "quiet_threads", "written_if_possible"]

log = logging.getLogger(__name__)

_METHODS = ("log_metrics", "log_hyperparams", "save", "finalize")
_PAUSE = 600  # seconds
_told: WeakKeyDictionary[Logger, float] = WeakKeyDictionary()


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one that it was made of, says that the disk or the user's quota is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def outlive_full_disk(logger: Logger) -> Logger:
    """Guard what the trainer calls of a logger, see :func:`written_if_possible`; returns the logger."""
    for name in _METHODS:
        setattr(logger, name, _guarded(getattr(logger, name), logger))
    return logger


@contextmanager
def written_if_possible(logger: Logger) -> Iterator[None]:
    """Inside, a full disk is told now and then, and otherwise passed over."""
    try:
        yield
    except Exception as error:  # Lightning's own raises a ValueError from it
        if not is_full_disk(error):
            raise
        now = time.monotonic()
        if now - _told.get(logger, -math.inf) > _PAUSE:
            log.error("The disk is full: %s loses figures. Training goes on.", type(logger).__name__)
            _told[logger] = now
        _begin_a_new_file(logger)


def quiet_threads() -> None:
    """Let threads that write for a logger end in a full disk without a traceback: their loggers tell it."""
    show = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if not is_full_disk(args.exc_value):
            show(args)

    threading.excepthook = hook


def _guarded(method: Callable[..., Any], logger: Logger) -> Callable[..., Any]:
    @functools.wraps(method)
    def guarded(*args: Any, **options: Any) -> Any:
        with written_if_possible(logger):
            return method(*args, **options)

    return guarded


def _begin_a_new_file(logger: Logger) -> None:
    """Let TensorBoard begin a new file: the thread that writes the old one has ended with the error."""
    writer: Any = getattr(logger, "experiment", None)
    if hasattr(writer, "all_writers"):
        writer.file_writer = writer.all_writers = None
