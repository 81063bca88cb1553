import math

import pytest
import torch

from glic_pyg.training.losses import RateDistortionLoss, estimated_bpp


def test_bpp_of_a_fair_coin() -> None:
    likelihoods = {"y": torch.full((2, 3, 4, 4), 0.5), "z": torch.full((2, 1, 2, 2), 0.25)}
    assert estimated_bpp(likelihoods, 2 * 64).item() == pytest.approx((96 + 2 * 8) / 128)


def test_bpp_of_half_precision_is_summed_in_float32() -> None:
    likelihoods = {"y": torch.full((1, 1, 300, 300), 0.5, dtype=torch.bfloat16)}
    bpp = estimated_bpp(likelihoods, 300 * 300)
    assert bpp.dtype == torch.float32
    assert bpp.item() == pytest.approx(1, rel=1e-4)


def test_terms_add_up() -> None:
    x, x_hat = torch.zeros(2, 3, 8, 8), torch.full((2, 3, 8, 8), 0.1)
    terms = RateDistortionLoss(lmbda=0.02, ortho_weight=0.3)(
        x, x_hat, {"y": torch.ones(5) / 4}, torch.tensor(2.0)
    )
    assert terms.bpp.item() == pytest.approx(10 / 128)
    assert terms.mse.item() == pytest.approx(0.01)
    assert terms.loss.item() == pytest.approx(10 / 128 + 0.02 * 65025 * 0.01 + 0.3 * 2.0)


def test_gradient_of_the_rate() -> None:
    p = torch.tensor([0.5], requires_grad=True)
    estimated_bpp({"y": p}, 1).backward()
    assert p.grad is not None
    assert p.grad.item() == pytest.approx(-1 / (0.5 * math.log(2)))


def test_lmbda_must_be_positive() -> None:
    with pytest.raises(ValueError, match="lmbda must be positive"):
        RateDistortionLoss(lmbda=0)
