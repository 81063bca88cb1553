"""The squared error and MS-SSIM as losses."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_msssim import ms_ssim
from torch import Tensor

from glic_pyg.errors import TrainingError
from glic_pyg.training.losses import (
    RateDistortionLoss,
    estimated_bpp,
    squared_error,
    structural_dissimilarity,
)


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


def images(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Smooth ones, and the same with noise."""
    torch.manual_seed(0)
    x = torch.nn.functional.interpolate(torch.rand(2, 3, 9, 9), (height, width), mode="bicubic").clamp(0, 1)
    return x + 0.1 * torch.randn_like(x), x


def test_squared_error_is_on_the_8_bit_scale() -> None:
    assert squared_error(torch.full((1, 3, 2, 2), 2 / 255), torch.zeros(1, 3, 2, 2)).item() == pytest.approx(
        4
    )


@pytest.mark.parametrize(("height", "width"), [(161, 170), (192, 161)])
def test_ms_ssim_is_that_of_the_package(height: int, width: int) -> None:
    x_hat, x = images(height, width)
    x_hat.requires_grad_()
    ours, theirs = structural_dissimilarity(x_hat, x), 1 - ms_ssim(x_hat, x, data_range=1.0)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    gradients = [torch.autograd.grad(loss, x_hat)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-9)


def test_a_hopeless_reconstruction_has_a_gradient() -> None:
    _, x = images(176, 176)
    gradients = []
    for loss in (structural_dissimilarity, lambda a, b: 1 - ms_ssim(a, b, data_range=1.0)):
        x_hat = (1 - x).requires_grad_()
        gradients.append(torch.autograd.grad(loss(x_hat, x), x_hat)[0])
    ours, theirs = gradients
    assert not theirs.norm() > 0  # it is 0 or NaN
    assert ours.isfinite().all() and ours.norm() > 0
    better = structural_dissimilarity(1 - x - 1e-2 * ours / ours.abs().max(), x)
    assert better <= structural_dissimilarity(1 - x, x)


def test_small_crops_are_refused_in_one_sentence() -> None:
    x_hat, x = images(160, 256)
    with pytest.raises(
        TrainingError, match=r"at least 161 pixels a side, not 256x160: choose a larger data\.crop"
    ):
        structural_dissimilarity(x_hat, x)


def test_ms_ssim_in_the_objective() -> None:
    x_hat, x = images(161, 161)
    loss = RateDistortionLoss(lmbda=8.0, ortho_weight=0.0, distortion=structural_dissimilarity)
    terms = loss(x, x_hat, {"y": torch.ones(3)}, torch.tensor(0.0))
    assert terms.loss.item() == pytest.approx(8 * (1 - ms_ssim(x_hat, x, data_range=1.0).item()), abs=1e-5)
    assert terms.mse.item() == pytest.approx((x - x_hat).square().mean().item())


def test_a_run_with_small_crops_and_ms_ssim_does_not_start(make_module, make_data, make_trainer) -> None:
    module = make_module(loss=RateDistortionLoss(8.0, distortion=structural_dissimilarity))
    with pytest.raises(TrainingError, match="at least 161 pixels"):
        make_trainer(1).fit(module, make_data(1))
