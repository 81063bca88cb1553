"""What may interrupt a run: signals, which end it after its step, and a full disk, which loggers outlive."""

from __future__ import annotations

import errno
import functools
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

__all__ = [
    "StopSignals",
    "Stopped",
    "is_full_disk",
    "outlive_full_disk",
    "quiet_threads",
    "written_if_possible",
]


_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]


class Stopped(Exception):
    """The run was told to stop.

    Args:
        number: of the signal.
        step: how many steps were finished.
    """

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name} after step {step}")
        self.number = number
        self.step = step


class StopSignals(Callback):
    """Hands signals on as SIGTERM while a run trains: on that Lightning stops between two steps.

    A second Ctrl-C has its usual effect. Processes after the first leave it to the first one to stop them.

    Attributes:
        received: number of the signal that was handed on; None if there was none.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take the signals over, but for those that are ignored, as SIGHUP is under nohup."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                handler: Any = self._pass_on if trainer.is_global_zero else signal.SIG_IGN
                self._before[number] = signal.signal(number, handler)

    def on_train_end(self, *args: Any) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def on_exception(self, *args: Any) -> None:
        """Give them back."""
        self.on_train_end()

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        signal.signal(number, self._before[number])
        if number == signal.SIGINT:  # past Python's buffers, in the middle of which a signal may come
            with suppress(OSError):
                os.write(2, b"\nstopping after this step; Ctrl-C again stops at once\n")
        signal.raise_signal(signal.SIGTERM)


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
