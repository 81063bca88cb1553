"""Writes the averaged weights as the file that the codec loads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn

from glic_pyg.errors import TrainingError
from glic_pyg.training.module import CodecModule

log = logging.getLogger(__name__)

SaveWeights = Callable[[Path, Any, dict[str, Any]], object]

MEASURED = ("val/bpp", "val/psnr", "val/ms_ssim", "val/ms_ssim_db", "val/loss")
"""What the card tells of the last validation; of the codec alone, so that theta leaves no trace."""


class ExportWeights(Callback):
    """After each validation and at the end, exports the averaged weights with a card of facts.

    Figures on the card are of the very weights in the file; without a validation there are none. If the disk
    is full training goes on, and the next export tries again; only at the end it is an error.

    Args:
        path: the file, e.g. ``runs/name/glic_xs.safetensors``; replaced as a whole.
        save: (path, model, card) writes the file.
        card: facts to keep with the weights, e.g. the model's name and λ; the step and the
            validation figures are added.
    """

    def __init__(self, path: str, save: SaveWeights, card: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        self.save = save
        self.card = dict(card or {})
        self._measured: tuple[int, dict[str, float]] = (-1, {})

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Export what has just been measured.

        Raises:
            TrainingError: it cannot be written, and no training follows that would try again.
        """
        if trainer.sanity_checking:
            return
        measured = {k: float(v) for k, v in trainer.callback_metrics.items() if k in MEASURED}
        self._measured = trainer.global_step, measured
        try:
            self._export(trainer, pl_module)
        except TrainingError as error:
            if trainer.state.fn != TrainerFn.FITTING:
                raise
            log.error("%s Training goes on, and exporting is tried again.", error)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Export the finished weights.

        Raises:
            TrainingError: they cannot be written.
        """
        self._export(trainer, pl_module)

    def _export(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, CodecModule)
        with pl_module.finished_model() as model:
            if trainer.is_global_zero:
                self._write(trainer.global_step, model)

    def _write(self, step: int, model: Any) -> None:
        measured = self._measured[1] if self._measured[0] == step else {}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.save(self.path, model, {**self.card, "step": step, **measured})
        except OSError as error:
            raise TrainingError(
                f"The weights could not be exported to {self.path} ({error.strerror})."
            ) from error
