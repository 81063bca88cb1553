"""What each of two processes does for test_two_processes.py: train by a strategy, keep the whole weights."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn

from glic_pyg.graph.similarity import unit_features
from glic_pyg.regularizer.families import HyperpriorSource
from glic_pyg.regularizer.regularizer import Regularizer
from glic_pyg.training.callbacks.checkpoint import LastCheckpoint
from glic_pyg.training.callbacks.export import ExportWeights
from glic_pyg.training.data import ImageDataModule
from glic_pyg.training.losses import RateDistortionLoss
from glic_pyg.training.module import CodecModule
from glic_pyg.training.schedules import StepDrop
from glic_pyg.training.warm_start import WarmStartFromFile
from tests.training.quiet_trainer import quiet_trainer
from tests.training.tiny_codec import TinyCodec

STRATEGIES = {
    "ddp": lambda: DDPStrategy(find_unused_parameters=True),
    "alone": lambda: "auto",
}


class WithoutAGraph(TinyCodec):
    """In its second training step the last process, or the only one, comes upon a map that is not finite."""

    def __init__(self) -> None:
        torch.manual_seed(3)
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> dict[str, Any]:
        self.calls += self.training
        last = not torch.distributed.is_initialized() or torch.distributed.get_rank() == 1
        if self.training and self.calls == 2 and last:
            unit_features(x.flatten(1) * math.inf)
        return super().forward(x)


def train(folder: Path, name: str, steps: int, resume: str = "", start: str = "", **options: Any) -> None:
    """A few steps at a high rate, with validation, export and checkpoint; files go to folder/name.

    Args:
        folder: has the images.
        name: of the run, beginning with one of STRATEGIES.
        steps: of the run.
        resume: name of the run to go on from.
        start: name of the run whose weights to begin with.
        options: of the module.
    """
    torch.manual_seed(3)
    source = {
        "regularizer": Regularizer(partial(HyperpriorSource, width=8, patch=4), alpha=0.1),
        "source_optimizer": partial(torch.optim.Adam, lr=1e-2),
    }
    module = CodecModule(
        loss=RateDistortionLoss(0.01),
        codec_optimizer=partial(torch.optim.Adam, lr=1e-2),
        quantile_optimizer=partial(torch.optim.Adam, lr=1e-2),
        schedule=StepDrop(steps),
        ema_decay=0.9,
        clip_norm=50.0,
        **{"model": TinyCodec(), **source, **options},
    )
    run, strategy = folder / name, name.partition("-")[0]
    trainer = quiet_trainer(
        steps,
        devices=1 if strategy == "alone" else 2,
        strategy=STRATEGIES[strategy](),
        val_check_interval=2,
        callbacks=[
            WarmStartFromFile(str(folder / start / "last.ckpt") if start else None),
            LastCheckpoint(str(run / "last.ckpt")),
            ExportWeights(str(run / "weights.pt"), save),
        ],
    )
    images = str(folder / "images")
    data = ImageDataModule(images, images, 6, batch_size=4, crop=32, seed=7, cache=str(folder / "cache"))
    trainer.fit(
        module, data, ckpt_path=str(folder / resume / "last.ckpt") if resume else None, weights_only=True
    )


def save(path: Path, model: nn.Module, card: dict[str, Any]) -> None:
    """As models.weights.save_weights does, which knows the real backbones alone."""
    torch.save({name: p.detach().clone() for name, p in model.named_parameters()}, path)


def everything(place: str | Path) -> None:
    """All that is compared; each process of two, or one alone, calls this."""
    folder = Path(place)
    two = torch.distributed.is_torchelastic_launched()
    strategy = "ddp" if two else "alone"
    train(folder, f"{strategy}-plain", 4, regularizer=None, source_optimizer=None)
    train(folder, f"{strategy}-half", 4, micro_batches=2)
    train(folder, f"{strategy}-resumed", 6, resume=f"{strategy}-half", micro_batches=2)
    train(folder, f"{strategy}-skipped", 4, model=WithoutAGraph())
    train(folder, f"{strategy}-started", 2, start=f"{strategy}-half")
