"""Gains: what a quality multiplies latents with, and a variable-rate model around them."""

from __future__ import annotations

import pytest
import torch

from glic_pyg.models.gain import Gain
from glic_pyg.models.glic import GLIC
from tests.models.conftest import TINY

LEVELS = (0.001, 0.002, 0.008)


@pytest.fixture
def gain() -> Gain:
    """Three levels for two channels, gains 2, 4, 8 and 1, 1, 9; inverse gains of their own."""
    gain = Gain(LEVELS, 2)
    with torch.no_grad():
        gain.log_gain.copy_(torch.tensor([[2.0, 1.0], [4.0, 1.0], [8.0, 9.0]]).log())
        gain.log_inverse_gain.copy_(torch.tensor([[1.0, 3.0], [0.25, 3.0], [0.5, 3.0]]).log())
    return gain


@pytest.mark.parametrize(
    ("quality", "expected"),
    [(0, (2, 1)), (25, (8**0.5, 1)), (50, (4, 1)), (75, (32**0.5, 3)), (100, (8, 9)), (130, (8, 9))],
)
def test_between_levels_gains_are_geometric(
    gain: Gain, quality: float, expected: tuple[float, float]
) -> None:
    scaled = gain.scale(torch.ones(1, 2, 1, 3), quality)
    torch.testing.assert_close(
        scaled, torch.tensor(expected, dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, 1, 3)
    )


def test_the_inverse_is_learned_apart(gain: Gain) -> None:
    unscaled = gain.unscale(torch.ones(1, 2, 1, 1), 25).flatten()
    torch.testing.assert_close(unscaled, torch.tensor([0.5, 3.0]))


def test_every_image_its_own_quality(gain: Gain) -> None:
    y = torch.randn(3, 2, 2, 2)
    together = gain.scale(y, torch.tensor([0.0, 60.0, 100.0]))
    alone = [gain.scale(y[i : i + 1], q) for i, q in enumerate([0, 60, 100])]
    assert torch.equal(together, torch.cat(alone))


def test_lambda_of_a_quality(gain: Gain) -> None:
    found = gain.lmbda(torch.tensor([[0.0, 25.0], [50.0, 100.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.001, 2**0.5 * 0.001], [0.002, 0.008]]))


def test_gains_begin_with_the_steps_of_high_rate_theory() -> None:
    gain = Gain((0.001, 0.016), 3)
    y = torch.ones(1, 3, 1, 1)
    torch.testing.assert_close(gain.scale(y, 0), y / 2)
    torch.testing.assert_close(gain.scale(y, 50), y)
    torch.testing.assert_close(gain.unscale(gain.scale(y, 83), 83), y)


@pytest.mark.parametrize("levels", [(0.1,), (0.2, 0.1), (0.1, 0.1), (0, 0.1)])
def test_levels_rise(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="two or more rising numbers above 0"):
        Gain(levels, 2)


def test_a_model_of_one_rate_has_none_and_the_same_weights() -> None:
    fixed = GLIC(**TINY)
    assert fixed.rates is None
    variable = GLIC(**TINY, levels=LEVELS)
    more = variable.state_dict().keys() - fixed.state_dict().keys()
    assert more == {"rates.log_gain", "rates.log_inverse_gain"}


def test_quality_of_one_is_the_model_of_one_rate() -> None:
    """Where gains are 1, a variable-rate model is the plain one with the same weights."""
    variable = GLIC(**TINY, levels=(0.001, 0.004, 0.016)).eval()
    fixed = GLIC(**TINY).eval()
    fixed.load_state_dict(variable.state_dict(), strict=False)
    x = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        torch.testing.assert_close(variable(x, 50)["x_hat"], fixed(x)["x_hat"])
        low, high = (variable(x, q)["likelihoods"]["y"].log().sum() for q in (0, 100))
    assert low > high  # more bits at the higher quality


def test_all_gains_learn() -> None:
    model = GLIC(**TINY, levels=LEVELS)
    out = model(torch.rand(2, 3, 128, 128), torch.tensor([20.0, 80.0]))
    (out["x_hat"].square().sum() - out["likelihoods"]["y"].log().sum()).backward()
    assert model.rates is not None
    for parameter in model.rates.parameters():
        assert parameter.grad is not None and (parameter.grad != 0).any(1).all()
