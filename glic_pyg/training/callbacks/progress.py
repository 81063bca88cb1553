"""Progress of a run: lines in a log, a bar on a terminal, images per second and memory among the metrics."""

from __future__ import annotations

import logging
import resource
import sys
import time
from datetime import timedelta
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar
from rich.progress import BarColumn

log = logging.getLogger(__name__)


class ProgressLog(Callback):
    """Logs a line with rate, PSNR, speed and the time left.

    Args:
        every_n_steps: steps between two lines.
    """

    def __init__(self, every_n_steps: int = 100) -> None:
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps must be at least 1, not {every_n_steps}.")
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


class RunBar(RichProgressBar):
    """Steps done and left, time gone and left, bpp and PSNR; one bar, because one epoch is the whole run."""

    def _get_train_description(self, current_epoch: int) -> str:
        return "Training"

    def get_metrics(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, Any]:
        """What stands behind the bar, short enough for it: bpp and psnr, val bpp and val psnr."""
        figures = super().get_metrics(trainer, pl_module)
        figures.pop("v_num", None)
        short = {name.removeprefix("train/").replace("/", " "): value for name, value in figures.items()}
        return {name: f"{value:.3f}" if isinstance(value, float) else value for name, value in short.items()}

    def configure_columns(self, trainer: lightning.Trainer) -> list[Any]:
        """Half as wide a bar, so that the figures have room in 80 columns."""
        columns = super().configure_columns(trainer)
        for bar in (column for column in columns if isinstance(column, BarColumn)):
            bar.bar_width = 16
        return columns


GIB = 2**30


class RunSpeed(lightning.Callback):
    """Logs images per second and the peak of memory, as often as everything else is logged.

    ``speed/images_per_s`` is over all processes and the steps since the last time, loading included,
    validation not. ``speed/processor_s`` is what this process has taken from the processors since it began,
    and ``memory/peak_gib`` is of the device if it is a GPU, else of the process, since it began.
    """

    def __init__(self) -> None:
        self._restart()  # a finished run is validated without having been trained

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        self._restart()

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop it."""
        self._elapsed += time.perf_counter() - self._since

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Let it go on."""
        self._since = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: Any,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        *_: Any,
    ) -> None:
        """Count, and log when it is due."""
        self._images += len(getattr(batch, "x", batch)) * trainer.world_size
        if trainer.global_step % max(1, trainer.log_every_n_steps):
            return
        elapsed = self._elapsed + time.perf_counter() - self._since
        figures = {
            "speed/images_per_s": self._images / elapsed,
            "speed/processor_s": time.process_time(),
            "memory/peak_gib": _peak(pl_module.device) / GIB,
        }
        pl_module.log_dict(figures)
        self._restart()

    def _restart(self) -> None:
        self._images, self._elapsed, self._since = 0, 0.0, time.perf_counter()


def _peak(device: torch.device) -> int:
    """Bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
