"""A model that starts as a linear transform codec."""

import pytest
import torch

from glic_pyg.models.glic import GLIC
from glic_pyg.models.klt_start import klt_start

TINY = {
    "widths": (12, 24, 32, 48),
    "gated_depth": 1,
    "gated_expansion": 1,
    "gfa_depth": 1,
    "gfa_expansions": (1, 1),
    "heads": 2,
    "hyper_channels": 8,
    "hyper_depth": 1,
    "hyper_expansion": 1,
    "groups": (16, 32),
    "context_expansion": 1,
    "context_width": 16,
    "parameter_width": 32,
}


@pytest.fixture
def pictures() -> torch.Tensor:
    """Smooth random pictures, (2, 3, 128, 128)."""
    torch.manual_seed(1)
    small = torch.rand(2, 3, 10, 10)
    return torch.nn.functional.interpolate(small, size=(128, 128), mode="bicubic").clamp(0, 1)


@pytest.fixture
def started(pictures: torch.Tensor) -> GLIC:
    torch.manual_seed(0)
    model = GLIC(**TINY).eval()
    klt_start(model, pictures, lmbda=0.0067)
    return model


def psnr(x_hat: torch.Tensor, x: torch.Tensor) -> float:
    return float(-10 * (x_hat - x).square().mean().log10())


@torch.no_grad()
def test_reconstructs_without_training(started: GLIC, pictures: torch.Tensor) -> None:
    untrained = GLIC(**TINY).eval()
    assert psnr(started(pictures)["x_hat"], pictures) > 30 > 20 > psnr(untrained(pictures)["x_hat"], pictures)


@torch.no_grad()
def test_maps_are_orthonormal_and_synthesis_is_their_transpose(started: GLIC) -> None:
    assert float(started.ortho_loss()) < 1e-10
    for down, up in zip(started.g_a.side, reversed(started.g_s.side), strict=True):
        torch.testing.assert_close(down.linear.weight.T, up.linear.weight)


@torch.no_grad()
def test_gain_follows_lmbda(started: GLIC, pictures: torch.Tensor) -> None:
    gain = started.g_a(pictures).std()
    klt_start(started, pictures, lmbda=4 * 0.0067)
    torch.testing.assert_close(started.g_a(pictures).std(), 2 * gain)


@torch.no_grad()
def test_prior_starts_with_the_latents_own_spread(started: GLIC, pictures: torch.Tensor) -> None:
    spread = started.g_a(pictures).std((0, 2, 3)).clamp_min(0.11)
    biases = [codec.entropy_parameters[-1].mix.bias for codec in started.latent_codec.y.latent_codec.values()]
    torch.testing.assert_close(torch.cat([b[: len(b) // 2] for b in biases]), spread)
