"""One checkpoint that is always there to resume from."""

import logging
import time
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from glic_pyg.training.checkpoint_file import CheckpointError, WholeFileIO, keep_previous
from glic_pyg.training.turn_taking import TurnTaking

log = logging.getLogger(__name__)


class LastCheckpoint(Callback):
    """Keeps the newest good state of the run in one file, replaced as a whole, and the one before in another.

    Written every so many steps or minutes, at the end, and when the run is told to stop (SIGTERM) or
    breaks off between two steps. A run that breaks off inside a step leaves the file of before, since half
    a step is no state to resume from; so does one whose newest steps were not finite. If the disk is full
    training goes on, and the next save tries again; only at the end it is an error.

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
        self._began_at = 0

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """From here on all checkpoints of the run are written as whole files."""
        trainer.strategy.checkpoint_io = WholeFileIO()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start counting the minutes."""
        self._saved_at = time.monotonic()
        self._began_at = trainer.global_step

    def on_train_batch_start(self, *args: Any) -> None:
        """Weights are about to change."""
        self._inside_step = True

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *args: Any
    ) -> None:
        """Save when it is time."""
        self._inside_step = False
        late = time.monotonic() - self._saved_at > 60 * self.every_minutes
        due = trainer.strategy.reduce_boolean_decision(late, all=False)
        if (due or trainer.global_step % self.every_n_steps == 0) and _is_good(pl_module):
            self._save_or_warn(trainer)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the finished run, unless it was finished before.

        Raises:
            CheckpointError: it cannot be written.
        """
        if _is_good(pl_module) and trainer.global_step > self._began_at:
            self._save(trainer)

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Save what there is, if it is whole."""
        if not self._inside_step and trainer.global_step > 0 and _is_good(pl_module):
            self._save_or_warn(trainer)

    def _save_or_warn(self, trainer: lightning.Trainer) -> None:
        try:
            self._save(trainer)
        except CheckpointError as error:
            log.error("%s Training goes on, and saving is tried again.", error)

    def _save(self, trainer: lightning.Trainer) -> None:
        self._saved_at = time.monotonic()
        if trainer.is_global_zero:
            keep_previous(self.path)
        trainer.save_checkpoint(self.path, weights_only=False)


def _is_good(module: lightning.LightningModule) -> bool:
    """Whether the newest step was finite: one that was skipped may be the fault of the weights."""
    return not (isinstance(module, TurnTaking) and module.check.skipped_in_a_row)
