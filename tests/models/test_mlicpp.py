"""MLIC++ as a backbone: contract, gradients, losses, batches, configs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from glic_pyg.cli.hydra import compose_option
from glic_pyg.models.base import Codec
from glic_pyg.models.mlicpp import MLICpp
from tests.models.tiny_mlicpp import TINY, lively_mlicpp

QUANTILES = "latent_codec.entropy_bottleneck.quantiles"


def arguments(size: str) -> dict[str, Any]:
    """Constructor arguments in conf/model."""
    stored = OmegaConf.to_container(compose_option("model", size))
    assert isinstance(stored, dict)
    return {str(name): value for name, value in stored.items() if not str(name).startswith("_")}


def with_gradient(model: nn.Module) -> set[str]:
    return {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}


@pytest.fixture
def model() -> MLICpp:
    return lively_mlicpp()


def test_small_size_trains_on_a_cpu() -> None:
    assert 3_000_000 < sum(p.numel() for p in MLICpp(**arguments("mlicpp_s")).parameters()) <= 5_000_000


def test_fulfils_the_contract(model: MLICpp) -> None:
    assert isinstance(model, Codec)
    assert model.latent_channels == 12
    y = model.g_a(torch.rand(1, 3, 64, 128))
    assert y.shape == (1, 12, 4, 8)
    assert model.g_s(y).shape == (1, 3, 64, 128)


def test_config_makes_the_same_architecture(model: MLICpp) -> None:
    again = MLICpp(**model.config)
    assert again.config == model.config
    again.load_state_dict(model.state_dict())


def test_forward_is_its_parts(model: MLICpp) -> None:
    x = torch.rand(1, 3, 64, 128)
    with torch.no_grad():
        out = model(x)
        latents = model.latent_codec(model.g_a(x))
        assert torch.equal(out["x_hat"], model.g_s(latents["y_hat"]))
    assert out["likelihoods"]["y"].shape == (1, 12, 4, 8)
    assert out["likelihoods"]["z"].shape == (1, 6, 1, 2)
    for likelihoods in out["likelihoods"].values():
        assert likelihoods.min() > 0 and likelihoods.max() <= 1


def test_images_of_a_batch_do_not_meet(model: MLICpp) -> None:
    model.double()
    x = torch.rand(2, 3, 64, 128, dtype=torch.float64)
    with torch.no_grad():
        both, alone = model(x), model(x[1:])
    torch.testing.assert_close(both["x_hat"][1:], alone["x_hat"], rtol=0, atol=1e-10)
    for kind, likelihoods in alone["likelihoods"].items():
        torch.testing.assert_close(both["likelihoods"][kind][1:], likelihoods, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
def test_every_parameter_but_the_quantiles_gets_a_gradient(model: MLICpp, autocast: bool) -> None:
    model.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = model(torch.rand(2, 3, 64, 128))
    bits = sum(-likelihoods.log2().sum() for likelihoods in out["likelihoods"].values())
    (out["x_hat"].float().square().sum() + bits).backward()
    assert with_gradient(model) == {name for name, _ in model.named_parameters()} - {QUANTILES}


def test_symbols_are_integers_under_autocast(model: MLICpp) -> None:
    """y around 1000, where bfloat16 has a spacing of 4."""
    y = 1000 + torch.randn(1, 12, 4, 8)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        y_hat = model.latent_codec(y)["y_hat"]
    assert y_hat.dtype == torch.float32
    assert (y_hat - y).abs().max() <= 1 + 1e-3  # half a step of rounding, half a step of residual prediction


def test_training_draws_noise_and_evaluation_none(model: MLICpp) -> None:
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(x)["likelihoods"]["y"], model(x)["likelihoods"]["y"])
        model.train()
        first, second = model(x), model(x)
    assert not torch.equal(first["likelihoods"]["y"], second["likelihoods"]["y"])
    assert not torch.equal(first["likelihoods"]["z"], second["likelihoods"]["z"])
    assert torch.equal(first["x_hat"], second["x_hat"])


def test_aux_loss_moves_the_quantiles_only(model: MLICpp) -> None:
    model.aux_loss().backward()
    assert with_gradient(model) == {QUANTILES}


def test_no_orthogonality_is_asked_for(model: MLICpp) -> None:
    assert model.ortho_loss().shape == () and model.ortho_loss() == 0


def test_slices_must_come_out_even() -> None:
    with pytest.raises(ValueError, match="12 latent channels do not divide into 5 slices of 2 heads each"):
        MLICpp(**TINY | {"slices": 5})
