"""A model that starts as a linear transform codec."""

import pytest
import torch

from glic_pyg.models.glic import GLIC
from glic_pyg.models.init import klt_init
from glic_pyg.nn import Rescale

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
def images() -> torch.Tensor:
    """Smooth random images, (2, 3, 128, 128)."""
    torch.manual_seed(1)
    small = torch.rand(2, 3, 10, 10)
    return torch.nn.functional.interpolate(small, size=(128, 128), mode="bicubic").clamp(0, 1)


@pytest.fixture
def started(images: torch.Tensor) -> GLIC:
    torch.manual_seed(0)
    model = GLIC(**TINY).eval()
    klt_init(model, images, lmbda=0.0067)
    return model


def psnr(x_hat: torch.Tensor, x: torch.Tensor) -> float:
    return float(-10 * (x_hat - x).square().mean().log10())


@torch.no_grad()
def test_reconstructs_without_training(started: GLIC, images: torch.Tensor) -> None:
    untrained = GLIC(**TINY).eval()
    assert psnr(started(images)["x_hat"], images) > 30 > 20 > psnr(untrained(images)["x_hat"], images)


@torch.no_grad()
def test_maps_are_orthonormal_and_synthesis_is_their_transpose(started: GLIC) -> None:
    assert float(started.ortho_loss()) < 1e-10
    for down, up in zip(started.g_a.side, reversed(started.g_s.side), strict=True):
        torch.testing.assert_close(down.linear.weight.T, up.linear.weight)


@torch.no_grad()
def test_gain_follows_lmbda(started: GLIC, images: torch.Tensor) -> None:
    gain = started.g_a(images).std()
    klt_init(started, images, lmbda=4 * 0.0067)
    torch.testing.assert_close(started.g_a(images).std(), 2 * gain)


@torch.no_grad()
def test_prior_starts_with_the_latents_own_spread(started: GLIC, images: torch.Tensor) -> None:
    spread = started.g_a(images).std((0, 2, 3)).clamp_min(0.11)
    biases = [codec.entropy_parameters[-1].mix.bias for codec in started.latent_codec.y.latent_codec.values()]
    torch.testing.assert_close(torch.cat([b[: len(b) // 2] for b in biases]), spread)


@pytest.fixture
def conditioned(images: torch.Tensor) -> GLIC:
    torch.manual_seed(0)
    model = GLIC(**TINY, conditioned=True).eval()
    klt_init(model, images, lmbda=0.0067)
    return model


@torch.no_grad()
def test_a_conditioned_model_starts_as_the_same_codec(
    started: GLIC, conditioned: GLIC, images: torch.Tensor
) -> None:
    y = started.g_a(images)
    torch.testing.assert_close(conditioned.g_a(images), y)
    torch.testing.assert_close(conditioned.g_s(y), started.g_s(y))
    spread = started.g_a(images).std((0, 2, 3)).clamp_min(0.11)
    for codec, part in zip(
        conditioned.latent_codec.y.latent_codec.values(), spread.split((16, 32)), strict=True
    ):
        *_, last, rescale = codec.entropy_parameters
        torch.testing.assert_close(rescale.factor[: len(part)] * last.mix.bias[: len(part)], part)


@torch.no_grad()
def test_conditioned_networks_read_maps_of_about_unit_spread(conditioned: GLIC, images: torch.Tensor) -> None:
    y = conditioned.g_a(images)
    scaled = conditioned.latent_codec.hyper.h_a[0](y).std((0, 2, 3))
    worth_coding = y.std((0, 2, 3)) > 0.3
    assert worth_coding.sum() > 8
    assert ((scaled[worth_coding] > 0.7) & (scaled[worth_coding] < 1.42)).all()
    torch.testing.assert_close(conditioned.g_s.up[0][0](y).std((0, 2, 3)), scaled)
    contexts = conditioned.latent_codec.y
    torch.testing.assert_close(contexts.channel_context["y1"][0](y[:, :16]).std((0, 2, 3)), scaled[:16])
    first = contexts.latent_codec["y0"].context_prediction
    torch.testing.assert_close(
        first.taps() / first.weight,
        conditioned.latent_codec.hyper.h_a[0].factor[:16, None, None].expand_as(first.weight),
    )


def test_factors_are_powers_of_two_and_not_trained(conditioned: GLIC) -> None:
    factors = {name: p for name, p in conditioned.named_parameters() if name.endswith(".factor")}
    assert factors and not any(p.requires_grad for p in factors.values())
    for factor in factors.values():
        torch.testing.assert_close(factor.log2(), factor.log2().round(), rtol=0, atol=0)
    assert any((factor != 1).any() for factor in factors.values())


def test_rescale_is_exact_in_every_format() -> None:
    rescale = Rescale(3)
    rescale.set(torch.tensor([0.3, 1.1, 29.0]))
    assert rescale.factor.tolist() == [0.25, 1, 32]
    x = torch.randn(1, 3, 2, 2, dtype=torch.float64)
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        back = rescale(x.to(dtype)) / rescale.factor.to(dtype)[:, None, None]
        assert back.dtype == dtype and torch.equal(back, x.to(dtype))
