"""Progress for runs whose output goes to a file."""

import logging
import time
from datetime import timedelta
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

log = logging.getLogger(__name__)


class ProgressLog(Callback):
    """Logs a line with rate, PSNR, speed and the time left.

    Args:
        every_n_steps: steps between two lines.
    """

    def __init__(self, every_n_steps: int = 100) -> None:
        self.every_n_steps = every_n_steps
        self._mark = (0, 0.0)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self._mark = (trainer.global_step, time.monotonic())

    def on_train_batch_end(self, trainer: lightning.Trainer, *args: Any) -> None:
        """Log the line when it is due; the clock runs from one line to the next."""
        step, now = trainer.global_step, time.monotonic()
        if step % self.every_n_steps:
            return
        pace = (now - self._mark[1]) / max(1, step - self._mark[0])
        self._mark = (step, now)
        left = timedelta(seconds=round(pace * (trainer.max_steps - step)))
        figures = "  ".join(
            f"{name} {value:.4g}" for name, value in sorted(trainer.progress_bar_metrics.items())
        )
        log.info("step %d/%d  %s  %.3f s/step  %s left", step, trainer.max_steps, figures, pace, left)
