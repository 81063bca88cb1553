"""A trained model's best quality can mean a greater lambda; what it could do before, it still does."""

import math
from types import SimpleNamespace

import pytest
import torch

from glic_pyg.models.gain import Gain
from glic_pyg.training.extend_rates import extend_rates


def test_extended_rates_keep_what_was(tiny_gains: SimpleNamespace) -> None:
    x = torch.randn(1, 3, 2, 2)
    before = [tiny_gains.rates.scale(x, quality) for quality in (0, 50, 75, 100)]
    undone = [tiny_gains.rates.unscale(x, quality) for quality in (0, 50, 75, 100)]
    extend_rates(tiny_gains, 0.4)
    assert tiny_gains.config["levels"] == [0.01, 0.1, 0.4] == list(tiny_gains.rates.levels)
    kept = 50 + 50 * math.log(2) / math.log(4)
    for quality, scaled, unscaled in zip((0, 50, 50 + (kept - 50) / 2, kept), before, undone, strict=True):
        torch.testing.assert_close(tiny_gains.rates.scale(x, quality), scaled)
        torch.testing.assert_close(tiny_gains.rates.unscale(x, quality), unscaled)
    assert (tiny_gains.rates.scale(x, 100).abs() > before[-1].abs()).all()
    torch.testing.assert_close(tiny_gains.rates.lmbda(torch.tensor(100.0)), torch.tensor(0.4))


@pytest.mark.parametrize("lmbda", [0.2, 0.1])
def test_rates_are_extended_upwards_only(tiny_gains: SimpleNamespace, lmbda: float) -> None:
    with pytest.raises(ValueError, match=r"rates up to a lmbda of 0\.2"):
        extend_rates(tiny_gains, lmbda)
    with pytest.raises(ValueError, match="one rate only"):
        extend_rates(SimpleNamespace(rates=None), lmbda)


@pytest.fixture
def tiny_gains() -> SimpleNamespace:
    """What a model has of rates: three levels of three channels, gains rising but of no other pattern."""
    torch.manual_seed(0)
    rates = Gain([0.01, 0.1, 0.2], 3)
    with torch.no_grad():
        for gains in (rates.log_gain, rates.log_inverse_gain):
            gains.copy_(torch.rand(3, 3).cumsum(0))
    return SimpleNamespace(rates=rates, config={"levels": [0.01, 0.1, 0.2]})
