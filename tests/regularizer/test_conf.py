"""conf/source: every option builds, says all it can say, and costs less than the codec it is for."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from hydra.utils import get_class, instantiate
from torch.utils.flop_counter import FlopCounterMode

from glic_pyg.cli.hydra import compose_option, config_dir
from glic_pyg.regularizer.regularizer import Regularizer
from glic_pyg.regularizer.source_model import SourceModel

FAMILIES = ("hyperprior", "autoregressive", "attention", "elic", "mlicpp", "glic")
OPTIONS = [name + size for name in FAMILIES for size in ("", "_s")]


def config(group: str, option: str) -> Any:
    return compose_option(group, option)


def built(option: str) -> Regularizer:
    """Without memory for its weights."""
    with torch.device("meta"):
        return instantiate(config("source", option))


def parameters(option: str) -> int:
    return sum(p.numel() for p in built(option).parameters())


def operations(run: Any, *images: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run(*images)
    return counter.get_total_flops()


def test_every_option_is_tested() -> None:
    assert {path.stem for path in (config_dir() / "source").glob("*.yaml")} == {"none", *OPTIONS}


def test_none_is_nothing() -> None:
    assert not config("source", "none")


@pytest.mark.parametrize("option", OPTIONS)
def test_keys_are_all_arguments(option: str) -> None:
    """Each with its default in the full sizes: the class alone is the same model."""
    outer = config("source", option)
    for part, target in ((outer, Regularizer), (outer.model, get_class(outer.model._target_))):
        keys = {key for key in part if not key.startswith("_")}
        assert keys == set(inspect.signature(target).parameters)
    model = built(option).model
    assert isinstance(model, SourceModel) and type(model) is get_class(outer.model._target_)
    if not option.endswith("_s"):
        with torch.device("meta"):
            default = type(model)()
        shapes = [{name: p.shape for name, p in m.named_parameters()} for m in (model, default)]
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize("option", OPTIONS)
def test_the_size_that_the_file_names(option: str) -> None:
    first_line = (config_dir() / "source" / f"{option}.yaml").read_text().splitlines()[0]
    assert first_line.endswith(f"{parameters(option) / 1e6:.1f} M parameters.")


@pytest.mark.parametrize("family", [f for f in FAMILIES if f != "glic"])
def test_it_costs_less_than_the_transforms_of_its_codec(family: str) -> None:
    """In multiplications, small sizes. (GLIC's graphs cannot be built without numbers.)"""
    images = [torch.empty(1, 3, 256, 256, device="meta") for _ in range(2)]
    codec = instantiate(config("model", f"{family}_s")).to("meta")
    cost = operations(built(f"{family}_s").model, *images)
    assert 0 < cost < operations(lambda x: codec.g_s(codec.g_a(x)), images[0])
