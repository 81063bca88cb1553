"""Checkpointed or compiled, the model learns the same."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from glic_pyg.errors import TrainingError
from glic_pyg.models.glic import GLIC
from glic_pyg.nn import GatedBlock
from glic_pyg.training.callbacks.execution import BLOCKS, CheckpointActivations, CompileModel
from tests.contracts.backbones import BACKBONES, untrained
from tests.models.conftest import TINY
from tests.nn.test_compile import SMALL
from tests.training.conftest import states_equal


def gradients(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of an objective in which everything takes part."""
    torch.manual_seed(0)
    out = model.train()(x)
    (out["x_hat"].square().mean() - sum(p.log().mean() for p in out["likelihoods"].values())).backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


class Holder(nn.Module):
    """In place of a LightningModule."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("name", ["glic", "mlicpp", "attention", "elic"])
def test_gradients_are_equal(name: str, images: int) -> None:
    plain, frugal = untrained(name), untrained(name)
    CheckpointActivations().setup(None, Holder(frugal), "fit")
    CheckpointActivations().setup(None, Holder(frugal), "fit")  # of a second fit
    x = torch.rand(images, 3, 128, 128)
    expected, got = gradients(plain, x), gradients(frugal, x)
    assert len(expected) > 10
    assert expected.keys() == got.keys()
    if images == 1:
        assert states_equal(expected, got)
    for key, value in expected.items():
        torch.testing.assert_close(got[key], value, rtol=1e-3, atol=1e-9 + 1e-5 * value.abs().max().item())
    assert frugal.state_dict().keys() == plain.state_dict().keys()


def test_less_is_kept_for_the_backward_pass() -> None:
    x = torch.rand(1, 3, 128, 128)
    kept = []
    for frugal in (False, True):
        torch.manual_seed(0)
        model = GLIC(**TINY).train()
        if frugal:
            CheckpointActivations().setup(None, Holder(model), "fit")
        sizes: dict[int, int] = {}

        def pack(tensor: torch.Tensor, sizes=sizes) -> torch.Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model(x)
        kept.append(sum(sizes.values()))
    assert kept[1] < kept[0] / 2


def test_every_backbone_with_blocks_is_known() -> None:
    without = {"hyperprior", "hyperprior with means", "autoregressive"}  # plain convolutions and GDN
    for name in BACKBONES:
        names = {type(module).__name__ for module in untrained(name).modules()}
        assert bool(names & set(BLOCKS)) == (name not in without)


def test_a_model_without_blocks_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"Hyperprior has none of the blocks .*: name its own in"):
        CheckpointActivations().setup(None, Holder(untrained("hyperprior")), "fit")


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor that is not a leaf"
)  # torch's own, in dynamo
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("backend", ["eager", "aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_training(make_module: Callable, make_data, make_trainer, regularized, backend: str) -> None:
    plain, compiled = make_module(**regularized(0.01)), make_module(**regularized(0.01))
    make_trainer(3).fit(plain, make_data(3))
    trainer = make_trainer(3, callbacks=[CompileModel(backend)])
    trainer.fit(compiled, make_data(3, validate=True))
    assert compiled.model._compiled_call_impl is not None
    assert plain.state_dict().keys() == compiled.state_dict().keys()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], value, rtol=1e-3, atol=1e-4)


class OneBlock(nn.Module):
    """The smallest model whose layers are in C."""

    def __init__(self) -> None:
        super().__init__()
        self.widen, self.block = nn.Conv2d(3, 16, 8, stride=8), GatedBlock(16, 16, 2)

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        return {"x_hat": self.block(self.widen(x)), "likelihoods": {}}


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor that is not a leaf",  # torch's own, in dynamo
    "ignore:Dynamo detected a call to a `functools.lru_cache`-wrapped function",  # what it keeps is constant
    "ignore::DeprecationWarning",
)
@pytest.mark.parametrize("make", [OneBlock, pytest.param(partial(GLIC, **SMALL), marks=pytest.mark.slow)])
def test_compiled_kernels_have_the_same_gradients(make: Callable[[], nn.Module]) -> None:
    models = []
    for _ in range(2):
        torch.manual_seed(1)
        models.append(make())
    plain, compiled = models
    CompileModel("aot_eager").setup(None, Holder(compiled), "fit")
    x = torch.rand(1, 3, 128, 128)
    expected, got = gradients(plain, x), gradients(compiled, x)
    assert len(expected) > 5 and expected.keys() == got.keys()
    for key, value in expected.items():
        torch.testing.assert_close(got[key], value, rtol=1e-3, atol=1e-9 + 1e-5 * value.abs().max().item())
