"""How fast a run is, and how much memory it takes."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import lightning
import torch

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
