"""How a run from scratch starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning
import torch
from torch import Tensor


class StartFromPictures(lightning.Callback):
    """Before the first step of a new run, set the model up from some of its training crops.

    Args:
        start: (model, x) with x (B, 3, H, W) in [0, 1]; changes the model's weights.
        batches: how many batches of crops to give it.
    """

    def __init__(self, start: Callable[[Any, Tensor], None], batches: int = 32) -> None:
        self.start = start
        self.batches = batches

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Runs only when no step has been made, so that a resumed run is left alone."""
        if trainer.global_step:
            return
        loader: Any = trainer.train_dataloader
        crops = torch.cat([loader.dataset[step].x for step in range(self.batches)])
        self.start(pl_module.model, crops.to(pl_module.device) / 255)
        pl_module.restart_average()
