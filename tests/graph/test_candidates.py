"""Near positions: by torch-cluster and by comparing all pairs, with the same result."""

from __future__ import annotations

import pytest
import torch

from glic_pyg.graph import candidates as module
from glic_pyg.graph import nearest, within_radius

RADII = [0, 1, 1.5, 5, 11, 40]


def lattice(height: int, width: int) -> torch.Tensor:
    return torch.cartesian_prod(torch.arange(height), torch.arange(width)).view(-1, 2)


@pytest.mark.parametrize("radius", RADII)
def test_pairs_by_their_distance(radius: float) -> None:
    targets, sources = lattice(7, 6), lattice(9, 4) - 3
    distance = torch.cdist(targets.double(), sources.double())
    expected = (distance <= radius + 1e-9).nonzero().flip(1).T
    assert torch.equal(within_radius(targets, sources, radius), expected)


@pytest.mark.parametrize("radius", RADII)
def test_the_fallback_equals_torch_cluster(monkeypatch, size, radius: float) -> None:
    pytest.importorskip("torch_cluster")
    nodes = lattice(*size)
    found = within_radius(nodes, nodes, radius)
    monkeypatch.setattr(module, "torch_cluster_or_none", lambda: None)
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 5000)
    assert torch.equal(within_radius(nodes, nodes, radius), found)


def test_nothing_is_cut_off() -> None:
    nodes = lattice(30, 30)
    assert within_radius(nodes, nodes, 100).shape[1] == 900 * 900


@pytest.mark.parametrize("radius", [-1, float("nan"), float("inf")])
def test_a_radius_that_makes_no_graph_is_refused(radius: float) -> None:
    with pytest.raises(ValueError, match="radius"):
        within_radius(lattice(2, 2), lattice(2, 2), radius)


def clouds(*counts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions, some of them equal, and the graph of each."""
    pos = torch.rand(sum(counts), 3, generator=torch.Generator().manual_seed(1)).mul(4).mul(8).round() / 8
    return pos, torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("k", [1, 3, 20, 200])
def test_nearest(monkeypatch: pytest.MonkeyPatch, k: int, batched: bool) -> None:
    """Against a sort by distance, then number; among lattice positions many are equally near."""
    pos, batch = clouds(40, 1, 70)
    for points, graph in ((pos, batch), (lattice(9, 11), torch.arange(99) // 50)):
        ends = (graph, graph) if batched else None
        expected = []
        for node in range(len(points)):
            distance = (points - points[node]).double().square().sum(-1)
            same = (graph == graph[node]) if batched else torch.ones(len(points), dtype=torch.bool)
            order = [i for i in distance.argsort(stable=True).tolist() if same[i]][:k]
            expected += [(source, node) for source in sorted(order)]
        found = nearest(points, points, k, ends)
        assert found.T.tolist() == [list(edge) for edge in expected]
        with monkeypatch.context() as patch:
            patch.setattr(module, "torch_cluster_or_none", lambda: None)
            patch.setattr(module, "PAIRS_AT_ONCE", 500)
            assert torch.equal(nearest(points, points, k, ends), found)


@pytest.mark.parametrize("radius", [0, 0.125, 0.5, 2.0, 10.0])
def test_within_a_radius_of_a_batch(monkeypatch: pytest.MonkeyPatch, radius: float) -> None:
    pos, batch = clouds(40, 1, 70)
    near = torch.cdist(pos.double(), pos.double()) <= radius + 1e-9
    expected = (near & (batch[:, None] == batch)).nonzero().flip(1).T
    assert torch.equal(within_radius(pos, pos, radius, (batch, batch)), expected)
    monkeypatch.setattr(module, "torch_cluster_or_none", lambda: None)
    assert torch.equal(within_radius(pos, pos, radius, (batch, batch)), expected)


def test_positions_and_numbers_that_make_no_graph_are_refused() -> None:
    pos = torch.rand(3, 2)
    with pytest.raises(ValueError, match="1 or more"):
        nearest(pos, pos, 0)
    pos[1, 0] = torch.nan
    for find in (nearest, within_radius):
        with pytest.raises(ValueError, match="NaN"):
            find(pos, pos, 2)


def test_no_positions() -> None:
    none = torch.empty(0, 2)
    assert nearest(none, none, 3).shape == within_radius(none, torch.rand(2, 2), 1.0).shape == (2, 0)
