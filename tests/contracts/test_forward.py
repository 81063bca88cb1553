"""The forward pass of every backbone: what training and evaluation build on."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glic_pyg.models.base import LATENT_STRIDE, SIDE_STRIDE, Codec
from glic_pyg.models.glic import GLIC


def test_fulfils_the_contracts(model: nn.Module) -> None:
    assert isinstance(model, Codec)
    assert model.multiple % SIDE_STRIDE == 0


@pytest.mark.parametrize("training", [False, True], ids=["eval", "training"])
def test_shapes_and_likelihoods(lively_model: Any, x: Tensor, training: bool) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        out = lively_model.train(training)(torch.cat([x, 1 - x]))
    height, width = x.shape[2:]
    assert out["x_hat"].shape == (2, *x.shape[1:]) and out["x_hat"].isfinite().all()
    y, z = out["likelihoods"]["y"], out["likelihoods"]["z"]
    assert set(out["likelihoods"]) == {"y", "z"}
    channels = lively_model.latent_channels
    assert y.shape == (2, channels, height // LATENT_STRIDE, width // LATENT_STRIDE)
    assert (z.shape[0], *z.shape[2:]) == (2, height // SIDE_STRIDE, width // SIDE_STRIDE)
    for likelihoods in (y, z):
        assert ((likelihoods > 0) & (likelihoods <= 1)).all() and likelihoods.unique().numel() > 2


def test_forward_is_made_of_the_parts(lively_model: Any, x: Tensor) -> None:
    with torch.no_grad():
        whole, latents = lively_model(x), lively_model.latent_codec(lively_model.g_a(x))
        assert torch.equal(whole["x_hat"], lively_model.g_s(latents["y_hat"]))
    for stream, likelihoods in whole["likelihoods"].items():
        assert torch.equal(likelihoods, latents["likelihoods"][stream])


def test_pictures_of_a_batch_do_not_meet(lively_model: Any, x: Tensor) -> None:
    """In float64: in float32 a batch may be multiplied in other blocks, and the last bit may move an edge."""
    lively_model, x = copy.deepcopy(lively_model).double(), x.double()
    with torch.no_grad():
        together = lively_model.g_a(torch.cat([x, 1 - x]))
        alone = torch.cat([lively_model.g_a(x), lively_model.g_a(1 - x)])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9)


def test_every_parameter_has_one_loss(lively_model: Any, x: Tensor) -> None:
    """The quantiles, known by their names, are trained by the auxiliary loss; all else by the main one."""
    model = without_dead_units(lively_model).train()
    torch.manual_seed(0)
    out = model(x)
    rate = sum(-likelihoods.log().mean() for likelihoods in out["likelihoods"].values())
    (rate + (out["x_hat"] - x).square().mean() + model.ortho_loss()).backward()
    by_main_loss = moved(model)
    model.zero_grad()
    model.aux_loss().backward()
    by_aux_loss = moved(model)
    quantiles = {name for name, _ in model.named_parameters() if name.endswith(".quantiles")}
    assert quantiles and by_aux_loss == quantiles
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert by_main_loss == trained - quantiles


def without_dead_units(model: nn.Module) -> nn.Module:
    """Leaky ReLUs for ReLUs: in a layer of four channels one that never fires would hide those before it."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.LeakyReLU(0.1))
    return model


def moved(model: nn.Module) -> set[str]:
    """Names of the parameters with a gradient that is not zero everywhere."""
    return {
        name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum().item() > 0
    }


def test_ortho_loss(model: Any) -> None:
    loss = model.ortho_loss()
    assert loss.shape == () and (loss > 0) == isinstance(model, GLIC)


def test_mixed_precision_keeps_integers_apart(model: Any, x: Tensor) -> None:
    """bfloat16 cannot tell 301 from 302: y is widened before it is rounded."""
    seen: dict[str, Tensor] = {}
    model.g_a.register_forward_hook(lambda _m, _i, out: seen.setdefault("y", 300 * out / out.std()))
    model.g_s.register_forward_pre_hook(lambda _m, inputs: seen.update(y_hat=inputs[0]))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        model(x)
    rounding, correction = 0.5, 0.5  # the second is latent residual prediction's (MLIC++)
    assert (seen["y_hat"] - seen["y"].float()).abs().max() <= rounding + correction
