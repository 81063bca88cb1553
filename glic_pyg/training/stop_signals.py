"""Ctrl-C and a closed terminal end a run the way SIGTERM does: after the present step, with a checkpoint."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

__all__ = ["StopSignals", "Stopped"]

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
