"""Lightning's training loop with nothing around it: no bar, no files, no advice."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import lightning
from torch.utils.data import DataLoader

__all__ = ["silent_fit"]


def silent_fit(
    module: lightning.LightningModule,
    batches: Any,
    steps: int,
    *,
    callbacks: Sequence[lightning.Callback] = (),
    accelerator: str = "cpu",
) -> None:
    """Train a module on one device.

    Args:
        module: changed in place.
        batches: a data set of whole batches, as many as steps.
        steps: of the codec's optimizer.
        callbacks: beside the module's own.
        accelerator: Lightning's name of the kind of device.
    """
    trainer = lightning.Trainer(
        accelerator=accelerator,
        devices=1,
        max_steps=steps,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning recommends loader workers and longer runs
        trainer.fit(module, DataLoader(batches, batch_size=None))
