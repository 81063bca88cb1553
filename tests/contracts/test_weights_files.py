"""Weights files of every backbone: saved, loaded, and used by the commands."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor, nn

import glic_pyg
from glic_pyg.cli.hydra import compose_option, config_dir
from glic_pyg.cli.main import main
from glic_pyg.models.registry import ARCHITECTURES, architecture_name
from glic_pyg.models.weights import load_weights, read_card, save_weights, weights_hash
from tests.contracts.backbones import BACKBONES

SIZES = sorted(path.stem for path in (config_dir() / "model").glob("*.yaml"))


def test_config_makes_the_same_architecture(model: Any) -> None:
    again = type(model)(**model.config)
    assert again.config == model.config == json.loads(json.dumps(model.config))
    shapes = [{name: p.shape for name, p in m.named_parameters()} for m in (model, again)]
    assert shapes[0] == shapes[1]


def test_there_and_back(model: Any, x: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_weights(path, model, {"steps": 3})
    again = load_weights(path)
    assert type(again) is type(model) and not again.training
    assert weights_hash(again) == weights_hash(model) and read_card(path) == {"steps": 3}
    with torch.no_grad():
        assert torch.equal(again(x)["x_hat"], model(x)["x_hat"])


def test_running_a_model_does_not_change_its_hash(model: Any, x: Tensor) -> None:
    before = weights_hash(model)
    with torch.no_grad():
        model.train()(x)
        model.eval()(x)
    assert weights_hash(model) == before


def test_commands(
    model: Any, sample: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(sample[:100, :70]).save("a.png")
    save_weights("some-model.safetensors", model, {})
    assert main(["encode", "a.png", "a.glic", "--weights", "some-model.safetensors"]) == 0
    assert main(["decode", "a.glic", "b.png", "--weights", "some-model.safetensors"]) == 0
    assert main(["info", "a.glic"]) == 0
    assert "some-model" in capsys.readouterr().out
    with Image.open("b.png") as back:
        assert back.size == (70, 100)
    assert glic_pyg.open_info("a.glic").weights_hash == weights_hash(model)[:16]


def test_every_architecture_is_tested_here() -> None:
    assert {architecture_name(build()) for build in BACKBONES.values()} >= set(ARCHITECTURES)


def test_other_classes_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a Linear is none of the architectures glic, .*registry\.py"):
        save_weights(tmp_path / "new" / "a.safetensors", nn.Linear(2, 2), {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", SIZES)
def test_configurations_name_arguments_of_an_architecture(size: str) -> None:
    settings = compose_option("model", size)
    architecture = ARCHITECTURES[size.split("_")[0]]
    module, _, class_name = settings["_target_"].rpartition(".")
    assert class_name == architecture.__name__ and architecture.__module__.startswith(module)
    stated = {key for key in settings if not str(key).startswith("_")}
    assert stated <= set(inspect.signature(architecture).parameters)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_has_two_sizes(architecture: str) -> None:
    """The full one is the default; the small one has at most 10 million parameters."""
    settings: Any = [
        OmegaConf.to_container(compose_option("model", architecture + size)) for size in ("", "_s")
    ]
    full, small = ({k: v for k, v in s.items() if not k.startswith("_")} for s in settings)
    parameters = inspect.signature(ARCHITECTURES[architecture]).parameters
    defaults = {name: parameters[name].default for name in full}
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in defaults.items()} == full
    assert sum(p.numel() for p in ARCHITECTURES[architecture](**small).parameters()) <= 10e6
