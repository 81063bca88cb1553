"""A few small images and a short way to a training run."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from glic_pyg.regularizer.families import HyperpriorSource
from glic_pyg.regularizer.regularizer import Regularizer
from glic_pyg.training.data import ImageDataModule
from glic_pyg.training.losses import RateDistortionLoss
from glic_pyg.training.module import CodecModule
from glic_pyg.training.schedules import WarmupHoldDecay
from tests.training.quiet_trainer import quiet_trainer
from tests.training.tiny_codec import TinyCodec


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five smooth colour images of different sizes."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number, (width, height) in enumerate([(48, 40), (64, 33), (33, 70), (50, 50), (40, 41)]):
        coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def make_module() -> Callable[..., CodecModule]:
    """Builds a tiny module with the same initial weights every time."""

    def make(steps: int = 8, lr: float = 1e-3, **options: Any) -> CodecModule:
        torch.manual_seed(3)
        defaults = {
            "model": TinyCodec(),
            "loss": RateDistortionLoss(0.01),
            "codec_optimizer": partial(torch.optim.Adam, lr=lr),
            "quantile_optimizer": partial(torch.optim.Adam, lr=1e-2),
            "schedule": WarmupHoldDecay(steps, warmup_steps=2, hold=0.5, final=0.1),
        }
        return CodecModule(**{**defaults, **options})

    return make


@pytest.fixture
def regularized() -> Callable[..., dict[str, Any]]:
    """Options of a module with a small source model, the same initial weights every time."""

    def options(alpha: float, **more: Any) -> dict[str, Any]:
        return {
            "regularizer": Regularizer(partial(HyperpriorSource, width=8, patch=4), alpha, **more),
            "source_optimizer": partial(torch.optim.Adam, lr=1e-3),
        }

    return options


@pytest.fixture
def make_trainer(tmp_path: Path) -> Callable[..., lightning.Trainer]:
    """Builds a trainer whose files, if a test wants some, are gone with it."""
    return partial(quiet_trainer, default_root_dir=tmp_path)


@pytest.fixture
def make_data(image_folder: Path) -> Callable[..., ImageDataModule]:
    """Builds a data module over the small images."""

    def make(steps: int, validate: bool = False, **options: Any) -> ImageDataModule:
        val_root = str(image_folder) if validate else None
        defaults = {"root": str(image_folder), "batch_size": 2, "crop": 32, "seed": 7}
        return ImageDataModule(val_root=val_root, steps=steps, **{**defaults, **options})

    return make


def states_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Equal to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
