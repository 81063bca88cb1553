"""The progress bar of a run on a terminal."""

from typing import Any

import lightning
from lightning.pytorch.callbacks import RichProgressBar
from rich.progress import BarColumn


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
