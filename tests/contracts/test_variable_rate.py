"""One model for every rate, of every architecture: its files, its weights, its training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.codec.rate_control import RateTarget
from glic_pyg.models.registry import architecture_name
from glic_pyg.models.weights import load_weights, save_weights, weights_hash
from glic_pyg.training.losses import RateDistortionLoss
from tests.contracts.backbones import enlivened, untrained

NAMES = ["glic", "mlicpp", "hyperprior", "hyperprior with means", "autoregressive", "attention", "elic"]
LEVELS = (0.002, 0.008, 0.032)


@pytest.fixture(params=NAMES)
def variable(request: pytest.FixtureRequest) -> Any:
    """The smallest model of an architecture, with gains for three levels."""
    fixed: Any = untrained(request.param)
    assert fixed.rates is None and not fixed.config.get("levels"), "hashes of weights of one rate stay"
    torch.manual_seed(5)
    return type(fixed)(**{**fixed.config, "levels": LEVELS}).eval()


def test_better_quality_takes_more_bytes_and_errs_less(variable: Any, x: Tensor, sample: np.ndarray) -> None:
    model = enlivened(variable, x)
    with torch.no_grad():  # so that the first level is a coarse quantiser, and the last a fine one
        model.rates.log_gain.mul_(2)
        model.rates.log_inverse_gain.mul_(2)
    codec = ImageCodec(model, "some-model", weights_hash(model))
    assert codec.variable_rate
    files = [codec.encode(sample, target=RateTarget("quality", quality)).data for quality in (0, 50, 100)]
    assert len(files[0]) < len(files[1]) < len(files[2])
    with torch.no_grad():
        y = model.g_a(x)
        errors = [
            (model.latents(x, quality)["y_hat"] - y).square().mean().item() for quality in (0.0, 50.0, 100.0)
        ]
    assert errors[0] > errors[1] > errors[2]
    for data in files:
        assert codec.decode(data).array.shape == sample.shape


def test_weights_there_and_back(variable: Any, x: Tensor, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_weights(path, variable, {})
    again = load_weights(path)
    assert architecture_name(again) == architecture_name(variable) and again.rates.levels == LEVELS
    assert weights_hash(again) == weights_hash(variable)
    with torch.no_grad():
        assert torch.equal(again(x, 30.0)["x_hat"], variable(x, 30.0)["x_hat"])


def test_no_quality_is_the_middle(variable: Any, x: Tensor) -> None:
    with torch.no_grad():
        assert torch.equal(variable(x)["x_hat"], variable(x, 50.0)["x_hat"])


def test_both_gains_learn(variable: Any, x: Tensor) -> None:
    """Of a batch whose images are of different qualities."""
    batch = x.repeat(2, 1, 1, 1)
    quality = torch.tensor([0.0, 100.0])
    out = variable.train()(batch, quality)
    objective = RateDistortionLoss(0.01)
    objective(
        batch, out["x_hat"], out["likelihoods"], torch.zeros(()), variable.rates.lmbda(quality)
    ).loss.backward()
    for gains in (variable.rates.log_gain, variable.rates.log_inverse_gain):
        assert gains.grad[0].abs().sum() > 0 and gains.grad[2].abs().sum() > 0
        assert (gains.grad[1] == 0).all()
