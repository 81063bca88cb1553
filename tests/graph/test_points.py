"""Graphs of nodes at any positions: candidates by distance, edges by similarity, degrees by complexity."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from glic_pyg.graph import PointGraphBuilder, nearest, within_radius
from glic_pyg.graph import points as module
from glic_pyg.graph.similarity import NonFiniteMap
from glic_pyg.nn import GFAConv


@pytest.fixture
def cloud() -> tuple[Tensor, Tensor, Tensor]:
    """Features, positions and graphs of 130 nodes; some regions are denser than others."""
    generator = torch.Generator().manual_seed(2)
    pos = torch.rand(130, 2, generator=generator).square() * 10
    return torch.randn(130, 5, generator=generator), pos, (torch.arange(130) >= 50).long()


def test_without_a_budget_all_candidates_are_edges(cloud: tuple[Tensor, ...]) -> None:
    x, pos, batch = cloud
    ends = (batch, batch)
    for builder, expected in (
        (PointGraphBuilder(radius=2.0), within_radius(pos, pos, 2.0, ends)),
        (PointGraphBuilder(k=7), nearest(pos, pos, 7, ends)),
    ):
        data = builder(x, pos, batch)
        assert torch.equal(data.edge_index, expected)
        assert torch.equal(data.degree, data.target_degree.long())
        assert data.ptr.tolist() == [0, 50, 130]
        assert data.validate() and data.is_sorted(sort_by_row=False)


@pytest.mark.parametrize("candidates", [{"radius": 3.0}, {"k": 12}])
def test_every_node_keeps_its_most_similar_candidates(
    cloud: tuple[Tensor, ...], candidates: dict, monkeypatch
) -> None:
    monkeypatch.setattr(module, "NODES_AT_ONCE", 33)
    x, pos, batch = cloud
    everyone = PointGraphBuilder(**candidates)(x, pos, batch).edge_index
    scores = torch.rand(130, generator=torch.Generator().manual_seed(3)) + 0.1
    data = PointGraphBuilder(**candidates, mean_degree=4)(x, pos, batch, scores)
    assert torch.equal(data.degree, data.target_degree.long())
    assert [data.degree[batch == b].sum().item() for b in (0, 1)] == [200, 320]  # the budgets, met exactly
    unit = torch.nn.functional.normalize(x, dim=-1)
    for node in range(130):
        sources = everyone[0, everyone[1] == node]
        best = (unit[sources] @ unit[node]).argsort(descending=True)[: int(data.degree[node])]
        found = data.edge_index[0, data.edge_index[1] == node]
        assert found.tolist() == sorted(sources[best].tolist())
    large, small = scores > scores.median(), scores <= scores.median()
    assert data.degree[large].float().mean() > data.degree[small].float().mean()


def test_bisection_leaves_nobody_alone(cloud: tuple[Tensor, ...]) -> None:
    x, pos, batch = cloud
    data = PointGraphBuilder(k=10, mean_degree=3, method="bisection")(x, pos, batch)
    assert data.degree.min() >= 1 and data.degree.max() <= 10


def test_attention_learns_on_it(cloud: tuple[Tensor, ...]) -> None:
    x, pos, batch = cloud
    data = PointGraphBuilder(k=6)(x, pos, batch)
    conv = GFAConv(5, 8, heads=2)
    conv(data.x, data.edge_index).square().sum().backward()
    assert all(p.grad is not None for name, p in conv.named_parameters() if "bias.mlp" not in name)


def test_what_makes_no_graph_is_refused(cloud: tuple[Tensor, ...]) -> None:
    x, pos, batch = cloud
    for wrong in ({}, {"k": 3, "radius": 1.0}, {"k": 3, "mean_degree": 0.5}):
        with pytest.raises(ValueError, match=r"give one|too small"):
            PointGraphBuilder(**wrong)
    build = PointGraphBuilder(k=3, mean_degree=2)
    for arguments in ((x[1:], pos), (x, pos, batch.flip(0)), (x, pos, batch, x[:, 0]), (x, pos[:, 0])):
        with pytest.raises(ValueError, match=r"needed|ascending|above 0"):
            build(*arguments)
    with pytest.raises(NonFiniteMap):
        build(x.index_fill(0, torch.tensor([4]), torch.nan), pos)
    with pytest.raises(NonFiniteMap):
        build(x, pos, batch, torch.full((130,), torch.nan))
