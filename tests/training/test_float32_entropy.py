"""Rates are computed in float32 under autocast."""

import copy

import pytest
import torch
from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from torch import nn

from glic_pyg.training.noise import entropy_in_float32


class Rates(nn.Module):
    """Both kinds of entropy models."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.bottleneck = EntropyBottleneck(4)
        self.gaussian = GaussianConditional(None)

    def forward(self, y: torch.Tensor) -> dict[str, torch.Tensor]:
        _, z = self.bottleneck(y, training=False)
        _, y = self.gaussian(y, scales=torch.ones_like(y), means=torch.full_like(y, 0.25), training=False)
        return {"y": y, "z": z}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_likelihoods_are_those_of_float32(dtype: torch.dtype) -> None:
    plain, guarded = Rates(), Rates()
    entropy_in_float32(guarded)
    y = (5 * torch.randn(2, 4, 16, 16)).to(dtype)
    expected = plain(y.float())
    with torch.autocast("cpu", dtype):
        careless, got = plain(y), guarded(y)
    for name, value in expected.items():
        assert got[name].dtype == torch.float32
        torch.testing.assert_close(got[name], value, rtol=0, atol=0)
    error = max((careless[name].float() / value - 1).abs().max().item() for name, value in expected.items())
    assert error > 0.001  # or all this is for nothing


def test_copies_are_guarded_and_float64_stays() -> None:
    guarded = Rates()
    entropy_in_float32(guarded)
    twin = copy.deepcopy(guarded).double()
    with torch.autocast("cpu", torch.bfloat16):
        likelihoods = twin(torch.randn(1, 4, 8, 8, dtype=torch.float64))
    assert all(value.dtype == torch.float64 for value in likelihoods.values())


def test_autocast_is_back_after_an_error() -> None:
    guarded = Rates()
    entropy_in_float32(guarded)
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.raises((RuntimeError, IndexError)):
            guarded.bottleneck(torch.zeros(1, 7, 8, 8), training=False)
        assert torch.is_autocast_enabled("cpu")
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
        assert guarded.bottleneck(torch.zeros(1, 4, 8, 8))[1].dtype == torch.float32
