"""The progress bar of a run on a terminal."""

from typing import Any

import lightning
from lightning.pytorch.callbacks import RichProgressBar


class RunBar(RichProgressBar):
    """Steps done and left, time gone and left, bpp and PSNR; one bar, because one epoch is the whole run."""

    def _get_train_description(self, current_epoch: int) -> str:
        return "Training"

    def get_metrics(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, Any]:
        """What stands behind the bar: the newest figures to three decimals."""
        figures = super().get_metrics(trainer, pl_module)
        figures.pop("v_num", None)
        return {
            name: f"{value:.3f}" if isinstance(value, float) else value for name, value in figures.items()
        }
