"""Graphs that are the same on every machine: nothing depends on the order of a sum."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor

from glic_pyg.graph import build_graphs
from glic_pyg.graph.exact_sums import exact_features, exact_scores, exact_unit_features

KINDS = ["local", "mesh"]


@pytest.fixture
def latents() -> Tensor:
    """Multiples of 1/256, as decoded latents are; many of them equal, so that similarities tie."""
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 24, 16, 24, generator=generator).mul(2).round().double() + 37 / 256


def test_decoded_latents_are_left_as_they_are(latents: Tensor) -> None:
    assert torch.equal(exact_features(latents), latents)
    assert torch.equal(exact_features(latents.float()), latents)


def test_similarities_do_not_depend_on_the_order_of_channels(latents: Tensor) -> None:
    rows = latents[0].flatten(1).T
    order = torch.randperm(rows.shape[1], generator=torch.Generator().manual_seed(0))
    one, other = exact_unit_features(rows), exact_unit_features(rows[:, order])
    assert torch.equal(one[:, order], other)
    assert torch.equal(one @ one.T, other @ other.T)
    plain = torch.nn.functional.normalize(rows, dim=1)
    assert not torch.equal(plain @ plain.T, plain[:, order] @ plain[:, order].T), "nothing to be exact about"
    assert (one[:-1] @ one.T - plain @ torch.cat([plain, plain[:1] * 0]).T).abs().max() < 1e-5


def test_similarities_are_the_true_sums(latents: Tensor) -> None:
    rows = exact_unit_features(latents[0].flatten(1).T)[:3]
    products = rows @ rows.T
    for i in range(3):
        for j in range(3):
            terms = zip(rows[i].tolist(), rows[j].tolist(), strict=True)
            assert Fraction(products[i, j].item()) == sum(Fraction(a) * Fraction(b) for a, b in terms)


def test_sums_of_scores_do_not_depend_on_their_order(latents: Tensor) -> None:
    scores = exact_scores(latents.abs().sum(1).sqrt())
    backwards = sum(reversed(scores[0].flatten().tolist()))
    assert backwards == sum(scores[0].flatten().tolist()) == scores[0].sum().item()


@pytest.mark.parametrize("method", ["bisection", "exact"])
@pytest.mark.parametrize("kind", KINDS)
def test_float32_and_float64_and_another_order_of_channels_build_the_same(
    latents: Tensor, kind: str, method: str
) -> None:
    graph = build_graphs(latents, reproducible=True, method=method)[kind]
    for other in (latents.float(), latents.flip(1)):
        twin = build_graphs(other, reproducible=True, method=method)[kind]
        assert torch.equal(twin.mask, graph.mask) and torch.equal(twin.degrees, graph.degrees)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_usual_graph_up_to_ties(feature_map, kind: str) -> None:
    x = (feature_map(32, 32) * 256).round().double() / 256
    usual, found = (build_graphs(x, reproducible=r)[kind] for r in (False, True))
    assert (usual.mask == found.mask).double().mean() > 0.9995
    torch.testing.assert_close(found.degrees, usual.degrees, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("detector", ["entropy", "residual", "learned"])
def test_detectors_without_exact_sums_are_refused(detector: str) -> None:
    with pytest.raises(ValueError, match=f"'{detector}' does not give the same bits"):
        build_graphs(torch.zeros(1, 1, 4, 4), detector=detector, reproducible=True)


def test_nan_is_refused(latents: Tensor) -> None:
    latents[1, 0, 3, 3] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        build_graphs(latents, reproducible=True)
