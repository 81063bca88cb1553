"""Validation images among the logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import Logger
from torch import Tensor

from glic_pyg.training.callbacks.interruptions import written_if_possible
from glic_pyg.training.validation import pad_to_multiple


def log_image(logger: Logger, tag: str, image: Tensor, step: int) -> bool:
    """Hand an image to TensorBoard, Weights & Biases or MLflow.

    Known by what they can do and not by their classes, so that none of them need be installed.

    Args:
        logger: any of Lightning's.
        tag: e.g. ``images/kodim01/reconstruction``.
        image: (3, H, W) in [0, 1].
        step: of the run.

    Returns:
        Whether the logger takes images; files of figures do not.
    """
    pixels = (image.detach().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    anything: Any = logger
    experiment = anything.experiment
    if hasattr(experiment, "add_image"):  # TensorBoard
        experiment.add_image(tag, pixels, step, dataformats="HWC")
    elif hasattr(logger, "log_image"):  # Weights & Biases
        anything.log_image(tag, [pixels], step)
    elif hasattr(experiment, "log_image"):  # MLflow
        experiment.log_image(anything.run_id, pixels, key=tag, step=step)
    else:
        return False
    return True


class ValidationImages(lightning.Callback):
    """Logs the first validation images, their reconstructions, and maps of what the model sees in them.

    Args:
        count: how many images.
        maps: (model, x) → maps by name, each (3, h, w) in [0, 1], of x (1, 3, H, W) padded to the model's
            multiple; e.g. the degrees of its graphs. None logs no maps.
        maps_every_n_steps: maps are logged at the first validation at least so many steps after the last.
    """

    def __init__(
        self,
        count: int = 2,
        maps: Callable[[Any, Tensor], Mapping[str, Tensor]] | None = None,
        maps_every_n_steps: int = 1,
    ) -> None:
        self.count = count
        self.maps = maps
        self.maps_every_n_steps = maps_every_n_steps
        self._maps_at: int | None = None
        self._shown: set[int] = set()

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Log what belongs to one image; the original the first time only."""
        if (
            outputs is None
            or batch_idx >= self.count
            or not trainer.is_global_zero
            or trainer.sanity_checking
        ):
            return
        images = {"reconstruction": outputs["x_hat"][0]}
        if batch_idx not in self._shown:
            images["original"] = batch.x[0]
            self._shown.add(batch_idx)
        if self.maps is not None and self._maps_due(trainer.global_step):
            with pl_module.finished_model() as model, torch.autocast(batch.x.device.type, enabled=False):
                images |= self.maps(model, pad_to_multiple(batch.x[:1], model.multiple))
        name = PurePath(batch.names[0]).stem if batch.names else str(batch_idx)
        for kind, image in images.items():
            for logger in trainer.loggers:
                with written_if_possible(logger):
                    log_image(logger, f"{name}/{kind}", image, trainer.global_step)

    def _maps_due(self, step: int) -> bool:
        """Whether the validation at this step logs maps, of all its images."""
        if self._maps_at is None or step >= self._maps_at + self.maps_every_n_steps:
            self._maps_at = step
        return step == self._maps_at
