from __future__ import annotations

import pytest
import torch

from glic_pyg.graph import local_cells, mesh_cells, target_degrees, whole_degrees
from glic_pyg.graph.degree import exact_scores, flatten_towards_mean
from glic_pyg.graph.similarity import NonFiniteMap

SCOPES = ["cell", "image"]


def scores(size: tuple[int, int], spread: float = 1.0) -> torch.Tensor:
    return torch.randn(2, *size, generator=torch.Generator().manual_seed(1)).mul(spread).exp().double()


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("make", [local_cells, mesh_cells])
def test_uniform_complexity_gives_equal_degrees(size, make, scope: str) -> None:
    cells = make(*size)
    degrees = target_degrees(torch.full((1, *size), 0.3).double(), cells, scope=scope)
    torch.testing.assert_close(degrees[0][cells.real], torch.full((cells.num_real,), 64.0).double())
    assert (degrees[0][~cells.real] == 0).all()


def test_degrees_share_the_budget_in_proportion() -> None:
    cells, complexity = local_cells(16, 24), scores((16, 24), 0.3)
    flat = flatten_towards_mean(complexity).flatten(1)[:, cells.nodes]
    per_cell = target_degrees(complexity, cells)
    torch.testing.assert_close(per_cell, flat / flat.sum(2, keepdim=True) * 64 * 64)
    per_image = target_degrees(complexity, cells, scope="image", mean_degree=32)
    torch.testing.assert_close(per_image, flat / flat.sum((1, 2), keepdim=True) * 16 * 24 * 32)


def test_flattening_keeps_the_mean_and_shrinks_the_spread() -> None:
    complexity = scores((9, 7))
    flat = flatten_towards_mean(complexity)
    torch.testing.assert_close(flat.mean((1, 2)), complexity.mean((1, 2)))
    torch.testing.assert_close(flat.std((1, 2)) * 1.5, complexity.std((1, 2)))


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("mean_degree", [1, 17.3, 64, 255.5, 256])
@pytest.mark.parametrize("spread", [0.1, 6.0])
def test_whole_degrees_meet_the_budget(size, scope: str, mean_degree: float, spread: float) -> None:
    cells = local_cells(*size)
    degrees = target_degrees(scores(size, spread), cells, mean_degree=mean_degree, scope=scope)
    whole = whole_degrees(degrees, cells.real * 256, mean_degree=mean_degree, scope=scope)
    assert torch.equal(whole, whole.round())
    real = cells.real.expand_as(whole)
    assert whole[real].min() >= 1 and whole.max() <= 256 and (whole[~real] == 0).all()
    if scope == "image":
        assert whole.sum((1, 2)).tolist() == [round(cells.num_real * mean_degree)] * 2
    else:
        nodes = cells.real.sum(1).tolist()
        assert whole.sum(2).tolist() == [[round(n * mean_degree) for n in nodes]] * 2


def test_whole_degrees_round_to_a_neighbour_where_nothing_is_clamped() -> None:
    cells = local_cells(24, 24)
    degrees = target_degrees(scores((24, 24), 0.2), cells)
    whole = whole_degrees(degrees, cells.real * 256)
    assert ((whole - degrees).abs() < 1 + 1e-6).all()
    assert not torch.equal(whole, degrees.round())


def test_whole_degrees_do_not_depend_on_threads(threads) -> None:
    cells, found = local_cells(200, 208), []
    for count in (1, 2):
        threads(count)
        degrees = target_degrees(scores((200, 208)).float(), cells, scope="image")
        found.append(whole_degrees(degrees, cells.real * 256, scope="image"))
    assert torch.equal(*found)


def test_whole_degrees_stay_within_the_candidates_where_the_budget_cannot_be_met() -> None:
    limit = torch.tensor([[3, 2, 0, 1]])
    whole = whole_degrees(torch.tensor([[[64.0, 64.0, 0.0, 64.0]]]), limit)
    assert whole.tolist() == [[[3, 2, 0, 1]]]


def test_wrong_settings_are_named() -> None:
    cells, complexity = local_cells(8, 8), torch.ones(1, 8, 8)
    with pytest.raises(ValueError, match="mean degree of 300"):
        target_degrees(complexity, cells, mean_degree=300)
    with pytest.raises(ValueError, match="scope 'row'"):
        target_degrees(complexity, cells, scope="row")


def test_sums_of_scores_do_not_depend_on_their_order(latents: torch.Tensor) -> None:
    scores = exact_scores(latents.abs().sum(1).sqrt())
    backwards = sum(reversed(scores[0].flatten().tolist()))
    assert backwards == sum(scores[0].flatten().tolist()) == scores[0].sum().item()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 3e38])
def test_scores_that_do_not_add_up_are_refused(value: float) -> None:
    complexity = torch.ones(1, 8, 8)
    complexity[0, :2] = value
    with pytest.raises(NonFiniteMap, match="complexity of the map"):
        target_degrees(complexity, local_cells(8, 8))
