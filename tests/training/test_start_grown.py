"""A new run begins as a smaller model that is a file."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from glic_pyg.errors import TrainingError
from glic_pyg.models.glic import GLIC
from glic_pyg.models.weights import load_weights, save_weights
from glic_pyg.training.crops import Batch
from glic_pyg.training.warm_start import WarmStartFromSmaller
from tests.models.conftest import TINY

DEEPER = {**TINY, "gfa_depth": 3}
WIDER = {**TINY, "widths": (8, 8, 12, 20), "groups": (4, 4, 8, 4)}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Weights of the tiny model."""
    save_weights(tmp_path / "small.safetensors", GLIC(**TINY), {})
    return tmp_path / "small.safetensors"


class Crops:
    """Batches of a run, which counts how many were asked for."""

    def __init__(self) -> None:
        self.taken = 0

    def __getitem__(self, step: int) -> Batch:
        self.taken += 1
        return Batch(torch.randint(256, (2, 3, 128, 128), dtype=torch.uint8), ())


def start(
    path: Path | None,
    model: GLIC,
    global_step: int = 0,
    world_size: int = 1,
    crops: Crops | None = None,
) -> bool:
    """Calls the callback as Lightning would; whether the model is set up."""
    loader = SimpleNamespace(dataset=crops or Crops())
    trainer = SimpleNamespace(global_step=global_step, world_size=world_size, train_dataloader=loader)
    module = SimpleNamespace(model=model, device="cpu", is_initialized=False, restart_average=lambda: None)
    callback: Any = WarmStartFromSmaller(None if path is None else str(path), batches=2)
    callback.on_train_start(trainer, module)
    return module.is_initialized


@torch.no_grad()
def test_run_begins_as_the_small_model(small: Path) -> None:
    model = GLIC(**DEEPER).eval()
    assert start(small, model)
    x = torch.rand(1, 3, 128, 128)
    torch.testing.assert_close(model(x)["x_hat"], load_weights(small)(x)["x_hat"])


def test_crops_are_decoded_for_added_channels_only(small: Path) -> None:
    for config, taken in ((DEEPER, 0), (WIDER, 2)):
        crops = Crops()
        assert start(small, GLIC(**config), crops=crops)
        assert crops.taken == taken


def test_without_a_file_nothing_happens() -> None:
    assert not start(None, GLIC(**TINY))


def test_resumed_run_is_left_alone(small: Path) -> None:
    assert not start(small, GLIC(**DEEPER), global_step=1)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [({"heads": 1}, "differ in heads"), ({"hyper_channels": 7}, "differ in hyper_channels")],
)
def test_model_of_another_kind_is_refused(small: Path, config: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TrainingError, match=f"cannot begin as .*{sentence}"):
        start(small, GLIC(**{**TINY, **config}))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no weights at"):
        start(tmp_path / "nothing.safetensors", GLIC(**TINY))


def test_several_processes_are_refused(small: Path) -> None:
    with pytest.raises(TrainingError, match="made by one process"):
        start(small, GLIC(**DEEPER), world_size=2)
