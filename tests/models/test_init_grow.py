"""A trained model that grows says what it said before, and its new channels say what was missing."""

from typing import Any

import pytest
import torch
from torch import Tensor

from glic_pyg.models.conditioning import fold
from glic_pyg.models.glic import GLIC
from glic_pyg.models.init import grow, klt_init, zero_init_
from glic_pyg.nn import GFALayer, Rescale
from tests.models.test_init_klt import TINY, psnr

SMALL = {**TINY, "levels": [0.001, 0.01, 0.1]}
WIDER = {**SMALL, "widths": (12, 24, 32, 80), "groups": (16, 32, 20, 12)}
ADDED = slice(48, 80)


@pytest.fixture
def images() -> Tensor:
    """Random images with more detail than 48 channels hold, (2, 3, 128, 128)."""
    torch.manual_seed(1)
    return torch.nn.functional.interpolate(torch.rand(2, 3, 40, 40), size=(128, 128), mode="bicubic").clamp(
        0, 1
    )


@pytest.fixture
def small(images: Tensor) -> GLIC:
    """A model that has learned something: every parameter is away from its start."""
    torch.manual_seed(0)
    model = GLIC(**SMALL).eval()
    klt_init(model, images, lmbda=0.01)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.003 * torch.randn_like(parameter))
    return model


def grown(small: GLIC, images: Tensor, **config: Any) -> GLIC:
    """A larger model, grown out of the small one."""
    torch.manual_seed(2)
    model = GLIC(**{**small.config, **config}).eval()
    grow(model, small, lambda: images)
    return model


@torch.no_grad()
def test_added_layers_are_silent(small: GLIC, images: Tensor) -> None:
    deeper = grown(small, images, gfa_depth=3)
    torch.testing.assert_close(deeper(images, 30)["x_hat"], small(images, 30)["x_hat"])
    torch.testing.assert_close(deeper(images, 30)["likelihoods"]["y"], small(images, 30)["likelihoods"]["y"])


@torch.no_grad()
def test_layers_added_to_the_entropy_model_are_silent(small: GLIC, images: Tensor) -> None:
    more = grown(small, images, context_gfa_depth=1)
    torch.testing.assert_close(more(images, 30)["likelihoods"]["y"], small(images, 30)["likelihoods"]["y"])


@torch.no_grad()
def test_other_graphs_keep_all_weights(small: GLIC, images: Tensor) -> None:
    other = grown(small, images, graph={"kinds": ["local"], "mean_degree": 8})
    for (name, value), (twin, known) in zip(other.named_parameters(), small.named_parameters(), strict=True):
        assert name == twin and value.equal(known)
    assert not other(images, 30)["x_hat"].equal(small(images, 30)["x_hat"])


@torch.no_grad()
@pytest.mark.parametrize("place", ["encoder", "decoder"])
def test_blocks_instead_of_layers_pass_on_what_they_get(small: GLIC, images: Tensor, place: str) -> None:
    """The transform that keeps its GFA layers is the trained one; the other is it without what these did."""
    other = grown(small, images, gfa_in=place)
    for name, parameter in other.g_s.named_parameters():
        assert place == "encoder" or parameter.equal(small.g_s.get_parameter(name))
    for layer in (*small.g_a.modules(), *small.g_s.modules()):
        if isinstance(layer, GFALayer):
            zero_init_(layer.conv.out)
            zero_init_(layer.project_out)
    changed, same = (other.g_s, small.g_s) if place == "encoder" else (other.g_a, small.g_a)
    x = other.g_a(images) if place == "encoder" else images
    torch.testing.assert_close(changed(x), same(x))


@torch.no_grad()
def test_a_conditioned_model_computes_what_the_trained_one_does(small: GLIC, images: Tensor) -> None:
    """To the last bit, with factors that differ from channel to channel."""
    conditioned = grown(small, images, conditioned=True)
    for quality in (0, 70):
        ours, theirs = conditioned(images, quality), small(images, quality)
        assert ours["x_hat"].equal(theirs["x_hat"])
        assert all(ours["likelihoods"][name].equal(theirs["likelihoods"][name]) for name in "yz")
    factors = [m.factor for m in conditioned.modules() if isinstance(m, Rescale)]
    varied = [f for f in factors if len(f.unique()) > 1]
    assert len(varied) > len(factors) / 2 and all(f.min() >= 1 / 64 and f.max() <= 4 for f in factors)


@torch.no_grad()
def test_factors_fold_into_the_weights_that_they_were_taken_from(small: GLIC, images: Tensor) -> None:
    folded = fold(grown(small, images, conditioned=True))
    for (name, value), (twin, known) in zip(folded.named_parameters(), small.named_parameters(), strict=True):
        assert name == twin and value.equal(known)
    untrained = GLIC(**{**SMALL, "conditioned": True})
    klt_init(untrained, images, lmbda=0.01)
    with pytest.raises(ValueError, match="behind networks"):
        fold(untrained)


def test_a_conditioned_model_differs_in_nothing_else(small: GLIC, images: Tensor) -> None:
    with pytest.raises(ValueError, match="begins as in gfa_depth"):
        grown(small, images, conditioned=True, gfa_depth=3)


@torch.no_grad()
def test_known_channels_are_as_they_were(small: GLIC, images: Tensor) -> None:
    wider = grown(small, images, **WIDER)
    y, y_small = wider.g_a(images), small.g_a(images)
    torch.testing.assert_close(y[:, : ADDED.start], y_small)
    y[:, ADDED] = 0
    torch.testing.assert_close(wider.g_s(y), small.g_s(y_small))
    known, before = (model.latent_codec(latents) for model, latents in ((wider, y), (small, y_small)))
    torch.testing.assert_close(known["y_hat"][:, : ADDED.start], before["y_hat"])
    torch.testing.assert_close(known["likelihoods"]["z"], before["likelihoods"]["z"])


@torch.no_grad()
def test_added_channels_mend_what_the_small_model_gets_wrong(small: GLIC, images: Tensor) -> None:
    wider = grown(small, images, **WIDER)
    y = wider.g_a(images)
    new = y[:, ADDED]
    spread = torch.cov(new.transpose(0, 1).flatten(1))
    torch.testing.assert_close(spread, spread.diag().diag(), rtol=0, atol=1e-4 * float(spread.max()))
    assert (spread.diag().diff() <= 1e-5).all()
    assert psnr(wider.g_s(y), images) > psnr(small.g_s(small.g_a(images)), images) + 2


@torch.no_grad()
def test_prior_of_added_groups_is_as_wide_as_their_channels(small: GLIC, images: Tensor) -> None:
    wider = grown(small, images, **WIDER)
    spread = wider.rates.scale(wider.g_a(images), 50).std((0, 2, 3)).clamp_min(0.11)
    groups = list(wider.latent_codec.y.latent_codec.values())[2:]
    biases = [codec.entropy_parameters[-1].mix.bias for codec in groups]
    torch.testing.assert_close(torch.cat([b[: len(b) // 2] for b in biases]), spread[ADDED])


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"heads": 4}, "heads"),
        ({"groups": (32, 16, 32), "widths": (12, 24, 32, 80)}, "groups"),
        ({"widths": (16, 24, 32, 48)}, "widths"),
        ({"levels": None}, "levels"),
    ],
)
def test_what_cannot_grow_is_named(small: GLIC, images: Tensor, config: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=f"differ in {named}"):
        grown(small, images, **config)


def test_no_model_grows_fewer_layers(small: GLIC, images: Tensor) -> None:
    with pytest.raises(ValueError, match="differ in gfa_depth"):
        grow(GLIC(**SMALL), GLIC(**{**SMALL, "gfa_depth": 2}), lambda: images)


def test_no_glic_grows_out_of_another_architecture(images: Tensor) -> None:
    with pytest.raises(ValueError, match="not out of a Linear"):
        grow(GLIC(**SMALL), torch.nn.Linear(1, 1), lambda: images)
