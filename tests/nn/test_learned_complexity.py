"""A learned complexity: it gets the gradient it claims, and learns where neighbours are worth their edges."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from glic_pyg.graph import GraphBuilder, build_graphs
from glic_pyg.nn import GFABlock, LearnedComplexity
from glic_pyg.nn.learned_complexity import LearnedGraph, learned_graphs


def learning_block(channels: int = 6, depth: int = 1, **settings: object) -> GFABlock:
    return GFABlock(channels, 2, depth=depth, heads=2, builder=GraphBuilder(detector="learned", **settings))  # type: ignore[arg-type]


def uneven_map(side: int = 16, channels: int = 6) -> Tensor:
    """Smooth to the left, rough to the right."""
    smooth = torch.nn.functional.interpolate(
        torch.randn(1, channels, 3, 3), size=(side, side), mode="bilinear"
    )
    return smooth + torch.randn(1, channels, side, side) * (torch.arange(side) >= side // 2) * 1.5


def test_scores_are_positive_and_nearly_even_at_first() -> None:
    x = uneven_map()
    score = LearnedComplexity(6)(x)
    assert score.shape == (1, 16, 16) and (score > 0).all()
    degrees = GraphBuilder()(x, score)["local"].target_degree
    assert (degrees - 64).abs().mean() < 20


def test_scores_do_not_depend_on_layout_scale_or_offset() -> None:
    x, estimator = uneven_map(), LearnedComplexity(6)
    expected = estimator(x)
    torch.testing.assert_close(estimator(x.contiguous(memory_format=torch.channels_last)), expected)
    torch.testing.assert_close(estimator(3 * x + 2), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_forward_is_that_of_the_plain_graph(kind: str) -> None:
    x, block = uneven_map(), learning_block(kinds=(kind,))
    assert isinstance(block.graphs(x)[kind], LearnedGraph)
    with torch.no_grad():
        alone = block(x)
        assert not isinstance(block.graphs(x)[kind], LearnedGraph)
    torch.testing.assert_close(block(x), alone, rtol=0, atol=1e-6)


def test_every_parameter_gets_a_gradient() -> None:
    block = learning_block(depth=2)
    block(uneven_map()).square().sum().backward()
    idle = [name for name, p in block.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_the_gradient_is_the_change_by_a_neighbour_more(kind: str) -> None:
    """By the degree of one node: (with its wider set of neighbours - with its narrower) / edges between."""
    x = uneven_map().double()
    block = learning_block(kinds=(kind,), method="exact").double()
    for parameter in block.layers.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    builder, conv = block.builder, block.layers[0].conv
    graph = learned_graphs(builder, x, torch.rand(1, 16, 16).double().add_(0.2).requires_grad_())[kind]
    assert len(repr(graph)) < 80 and repr(graph).startswith(f"LearnedGraph({kind}, 1 map of 16x16, ")
    rows = x.permute(0, 2, 3, 1).flatten(1, 2)
    weight = torch.randn(1, 256, 6, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((graph.degree_term(conv, rows) * weight).sum(), graph.target_degree)
    cell, slot = 2, 11
    node = graph.cells.nodes[cell, slot]
    ends = [conv(rows, g)[0, node] for g in (graph.wider, graph.narrower)]
    edges = [g.mask[0, cell, slot].sum() for g in (graph.wider, graph.narrower)]
    assert edges[0] > edges[1]
    expected = ((ends[0] - ends[1]) * weight[0, node]).sum() / (edges[0] - edges[1])
    torch.testing.assert_close(gradient[0, cell, slot], expected)


def test_it_learns_where_the_edges_are_wanted() -> None:
    """The aggregate at given degrees is the goal; the estimator alone is trained to reach it."""
    torch.manual_seed(1)
    x = uneven_map()
    block, rows = learning_block(kinds=("local",), scope="image"), x.permute(0, 2, 3, 1).flatten(1, 2)
    conv, complexity = block.layers[0].conv, block.complexity
    assert complexity is not None
    wanted = 1 + 3.0 * (torch.arange(16) >= 8).float().expand(1, 16, 16)
    teacher = GraphBuilder(scope="image")(x, wanted)["local"]
    goal = conv(rows, teacher).detach()
    optimizer, losses, distances = torch.optim.Adam(complexity.parameters(), lr=0.01), [], []
    for _ in range(80):
        graph = block.graphs(x)["local"]
        loss = (conv(rows, graph).detach() + graph.degree_term(conv, rows) - goal).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        distances.append((graph.target_degree - teacher.target_degree).abs().mean().item())
    assert losses[-1] < 0.15 * losses[0]
    assert distances[-1] < 0.6 * distances[0]


def test_the_usual_block_has_no_estimator() -> None:
    block, x = GFABlock(6, 2, depth=1, heads=2), uneven_map()
    assert block.complexity is None
    assert torch.equal(block.graphs(x)["local"].mask, build_graphs(x)["local"].mask)
