"""The pictures that a new run is started from."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch import Tensor

from glic_pyg.errors import TrainingError

__all__ = ["first_crops", "refuse_several_processes"]


def first_crops(trainer: lightning.Trainer, module: Any, batches: int) -> Tensor:
    """Crops of the first batches of a run, (N, 3, H, W) in [0, 1]; each of several processes has its own."""
    loader: Any = trainer.train_dataloader
    return torch.cat([loader.dataset[step].x for step in range(batches)]).to(module.device) / 255


def refuse_several_processes(trainer: lightning.Trainer) -> None:
    """For starts that change whole weights, from what one process sees.

    Raises:
        TrainingError: there are several processes.
    """
    if trainer.world_size > 1:
        raise TrainingError(
            "A start from pictures or from a smaller model is made by one process: take trainer.devices=1 "
            "for the first steps, and go on with more processes and ckpt_path=last."
        )
