"""One checkpoint that is always there to resume from."""

import time
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback


class LastCheckpoint(Callback):
    """Keeps the newest state of the run in one file, replaced as a whole.

    Written every so many steps or minutes, at the end, and when the run is told to stop (SIGTERM) or
    breaks off between two steps. A run that breaks off inside a step leaves the file of before: half a
    step is no state to resume from.

    Args:
        path: the file, e.g. ``runs/name/last.ckpt``.
        every_n_steps: steps between two saves.
        every_minutes: minutes between two saves.
    """

    def __init__(self, path: str, every_n_steps: int = 1000, every_minutes: float = 10.0) -> None:
        self.path = Path(path)
        self.every_n_steps = every_n_steps
        self.every_minutes = every_minutes
        self._inside_step = False
        self._saved_at = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start counting the minutes."""
        self._saved_at = time.monotonic()

    def on_train_batch_start(self, *args: Any) -> None:
        """Weights are about to change."""
        self._inside_step = True

    def on_train_batch_end(self, trainer: lightning.Trainer, *args: Any) -> None:
        """Save when it is time."""
        self._inside_step = False
        late = time.monotonic() - self._saved_at > 60 * self.every_minutes
        if trainer.global_step % self.every_n_steps == 0 or trainer.strategy.reduce_boolean_decision(
            late, all=False
        ):
            self._save(trainer)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the finished run."""
        self._save(trainer)

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Save what there is, if it is whole."""
        if not self._inside_step and trainer.global_step > 0:
            self._save(trainer)

    def _save(self, trainer: lightning.Trainer) -> None:
        partial = self.path.with_name(self.path.name + ".partial")
        trainer.save_checkpoint(partial, weights_only=False)
        if trainer.is_global_zero:
            partial.replace(self.path)
        self._saved_at = time.monotonic()
