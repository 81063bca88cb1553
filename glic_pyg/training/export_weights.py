"""Writes the averaged weights as the file that the codec loads."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import lightning
from lightning.pytorch.callbacks import Callback
from torch import nn

from glic_pyg.training.codec_module import CodecModule
from glic_pyg.training.shards import whole_weights

SaveWeights = Callable[[Path, Any, dict[str, Any]], object]

MEASURED = ("val/bpp", "val/psnr", "val/ms_ssim", "val/ms_ssim_db", "val/loss")
"""What the card tells of the last validation; of the codec alone, so that theta leaves no trace."""


class ExportWeights(Callback):
    """After each validation and at the end, exports the averaged weights with a card of facts.

    Args:
        path: the file, e.g. ``runs/name/glic_xs.safetensors``.
        save: (path, model, card) writes the file atomically, as ``save_weights`` does.
        card: facts to keep with the weights, e.g. the model's name and λ; the step and the newest
            validation figures are added.
    """

    def __init__(self, path: str, save: SaveWeights, card: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        self.save = save
        self.card = dict(card or {})

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Export what has just been measured."""
        if not trainer.sanity_checking:
            self._export(trainer, pl_module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Export the finished weights."""
        self._export(trainer, pl_module)

    def _export(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, CodecModule)
        with pl_module.finished_model() as model, whole_weights(cast(nn.Module, model)):
            if trainer.is_global_zero:
                self._write(trainer, model)

    def _write(self, trainer: lightning.Trainer, model: Any) -> None:
        measured = {k: float(v) for k, v in trainer.callback_metrics.items() if k in MEASURED}
        card = {**self.card, "step": trainer.global_step, **measured}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.save(self.path, model, card)
