"""Settings and the graphs they stand for."""

from __future__ import annotations

import pytest
import torch

from glic_pyg.graph import GraphBuilder, RadiusGraphBuilder, build_graphs, graph_builder, union_data


def test_windows_by_default() -> None:
    assert graph_builder() == GraphBuilder()
    assert graph_builder(kinds=["mesh"], mean_degree=8) == GraphBuilder(kinds=["mesh"], mean_degree=8)


def test_union_has_the_edges_of_both(feature_map) -> None:
    x = feature_map(16, 24)
    (union,) = graph_builder(kinds=["union"], mean_degree=8)(x).values()
    expected = union_data(build_graphs(x, mean_degree=8))
    assert torch.equal(union.edge_index, expected.edge_index)


def test_radius_is_passed_on(feature_map) -> None:
    x = feature_map(9, 12)
    (found,) = graph_builder(kinds=["radius"], radius=3, mean_degree=5)(x).values()
    assert torch.equal(found.edge_index, RadiusGraphBuilder(3, mean_degree=5)(x).edge_index)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kinds": ["radius"]}, "a radius belongs"),
        ({"radius": 3}, "a radius belongs"),
        ({"kinds": ["union"], "detector": "learned"}, "local or mesh"),
        ({"kinds": ["union", "local"]}, "a graph is one of"),
    ],
)
def test_settings_that_do_not_go_together(settings, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        graph_builder(**settings)


def test_given_scores_replace_the_detector_and_keep_their_gradient(feature_map) -> None:
    x = feature_map(16, 16)
    scores = torch.rand(2, 16, 16).add_(0.1).requires_grad_()
    graph = GraphBuilder(detector="learned")(x, scores)["local"]
    assert torch.equal(graph.mask, GraphBuilder()(x, scores.detach())["local"].mask)
    assert not torch.equal(graph.mask, GraphBuilder()(x)["local"].mask)
    (gradient,) = torch.autograd.grad(graph.degrees[0, 0, 0], scores)
    assert gradient[0, 0, 0] > 0 and gradient[0, :8, :8].flatten()[1:].max() < 0  # shared in a cell
    # The flattening is towards the mean of the whole map, so other cells matter a little.
    assert gradient[1].abs().max() == 0


def test_whole_degrees_keep_the_gradient(feature_map) -> None:
    scores = torch.rand(2, 16, 16).add_(0.1).requires_grad_()
    x = feature_map(16, 16)
    whole, real = (GraphBuilder(method=m)(x, scores)["mesh"].degrees for m in ("exact", "bisection"))
    assert torch.equal(whole, whole.round())
    gradients = [
        torch.autograd.grad(degrees.square().sum() / degrees.detach().sum(), scores)[0]
        for degrees in (whole, real)
    ]
    assert (
        gradients[0].abs().max() > 0
        and torch.nn.functional.cosine_similarity(*map(torch.flatten, gradients), dim=0) > 0.9
    )


def test_learned_needs_scores(feature_map) -> None:
    with pytest.raises(ValueError, match="learned complexity is the layer's"):
        GraphBuilder(detector="learned")(feature_map(8, 8))
