from __future__ import annotations

import pytest
import torch
from torch import Tensor

from glic_pyg.graph import GraphBuilder, RadiusGraphBuilder, build_graphs, graph_builder, union_data
from glic_pyg.graph.similarity import NonFiniteMap

KINDS = ["local", "mesh"]
METHODS = ["bisection", "exact"]
SCOPES = ["cell", "image"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_edge_of_the_reference(reference, kind: str) -> None:
    mask = build_graphs(reference["input"])[kind].mask
    assert mask.shape == (1, 4, 64, 256)
    assert torch.equal(mask[0], reference[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_float32_decides_nearly_every_edge_alike(reference, kind: str) -> None:
    mask = build_graphs(reference["input"].float())[kind].mask
    assert (mask[0] == reference[kind]).double().mean() >= 0.999


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scope", SCOPES)
def test_maps_of_any_size(feature_map, size, method, scope) -> None:
    for graph in build_graphs(feature_map(*size), method=method, scope=scope).values():
        assert graph.mask.shape == (2, *graph.cells.nodes.shape, 256)
        assert not graph.mask[:, ~graph.cells.real].any()
        if method == "exact":
            assert torch.equal(graph.mask.sum(-1), graph.target_degree.long())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mean_degree", [5, 64, 100.7])
def test_exact_meets_the_budget_to_the_edge(feature_map, kind: str, mean_degree: float) -> None:
    x = feature_map(32, 48)
    per_cell = build_graphs(x, method="exact", mean_degree=mean_degree)[kind].mask
    assert (per_cell.sum((2, 3)) == round(64 * mean_degree)).all()
    per_image = build_graphs(x, method="exact", mean_degree=mean_degree, scope="image")[kind].mask
    assert (per_image.sum((1, 2, 3)) == round(32 * 48 * mean_degree)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_bisection_comes_near_the_budget(feature_map, kind: str) -> None:
    mask = build_graphs(feature_map(32, 48))[kind].mask
    assert 48 < mask.sum(-1).double().mean() < 80


def test_complex_nodes_get_more_edges(feature_map) -> None:
    degrees = build_graphs(feature_map(32, 48), scope="image")["local"].target_degree.mean(2).view(2, 4, 6)
    assert (degrees[..., -1] > 2 * degrees[..., 0]).all()  # the maps are noisier to the right


@pytest.mark.parametrize("scope", SCOPES)
def test_threads_do_not_matter(feature_map, threads, scope) -> None:
    x = feature_map(192, 200, batch=1, channels=4)  # large enough for torch to split sums between threads
    threads(1)
    graphs = build_graphs(x, scope=scope)
    threads(2)
    check_equal(graphs, build_graphs(x, scope=scope))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scope", SCOPES)
def test_layout_and_batch_do_not_matter(feature_map, size, method, scope) -> None:
    x = feature_map(*size)
    graphs = build_graphs(x, method=method, scope=scope)
    channels_last = x.contiguous(memory_format=torch.channels_last)
    check_equal(graphs, build_graphs(channels_last, method=method, scope=scope))
    alone = build_graphs(x[1:], method=method, scope=scope)
    assert all(torch.equal(alone[kind].mask[0], graphs[kind].mask[1]) for kind in KINDS)


def test_channels_have_no_order(feature_map) -> None:
    x = feature_map(24, 24, dtype=torch.float64)
    check_equal(build_graphs(x), build_graphs(x.flip(1)))


def test_moving_the_image_moves_the_local_graph(feature_map) -> None:
    x = torch.zeros(1, 5, 64, 64, dtype=torch.float64)
    x[..., 24:40, 24:40] = feature_map(16, 16, batch=1, channels=5, dtype=torch.float64)
    here = build_graphs(x)["local"].mask.view(8, 8, 64, 256)
    there = build_graphs(x.roll((8, -8), (2, 3)))["local"].mask.view(8, 8, 64, 256)
    assert here[3].any()
    assert torch.equal(here.roll((1, -1), (0, 1)), there)


def test_half_precision_is_built_in_float32(feature_map) -> None:
    x = feature_map(16, 16).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        check_equal(build_graphs(x), build_graphs(x.float()))


@pytest.mark.parametrize("detector", ["sobel", "none"])
def test_nan_is_refused(feature_map, detector) -> None:
    x = feature_map(9, 9)
    x[1, 0, 4, 4] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        build_graphs(x, detector=detector)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("method", METHODS)
def test_a_map_whose_complexity_overflows_is_refused(feature_map, method, scope) -> None:
    """From about 1e18 in float32; a graph does not depend on the scale of its map, and below it does not."""
    x = feature_map(16, 16)
    graphs = build_graphs(x * 2.0**50, method=method, scope=scope)
    check_equal(graphs, build_graphs(x * 2.0**52, method=method, scope=scope))
    for large, words in (
        (2.0**60, "complexity of the map"),
        (2.0**62, "too large for"),
    ):
        assert (x * large).isfinite().all()
        with pytest.raises(NonFiniteMap, match=words):
            build_graphs(x * large, method=method, scope=scope)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 3e38])
def test_scores_that_do_not_add_up_are_refused(feature_map, value: float) -> None:
    x, scores = feature_map(8, 8), torch.ones(2, 8, 8)
    scores[1, 3] = value
    with pytest.raises(NonFiniteMap, match="complexity of the map"):
        GraphBuilder()(x, scores)


@pytest.mark.parametrize("shape", [(2, 64), (2, 16, 4), (2, 1, 8, 8), (1, 8, 8)])
def test_scores_of_another_map_are_refused(feature_map, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 8, 8\)"):
        GraphBuilder()(feature_map(8, 8), torch.ones(shape))


@pytest.mark.parametrize("builder", [GraphBuilder(), GraphBuilder(reproducible=True), RadiusGraphBuilder()])
def test_what_is_no_feature_map_is_refused(feature_map, builder) -> None:
    x = feature_map(8, 8)
    for bad in (x[0], x[:0], x[:, :0], x[:, :, :0], x[..., :0], x + 0j, x / 0):
        with pytest.raises(ValueError, match=r"feature map|complexity of the map"):
            builder(bad)


def test_integer_maps_are_built_in_float32(feature_map) -> None:
    x = (feature_map(8, 16) * 100).round()
    check_equal(build_graphs(x.to(torch.int16)), build_graphs(x))


def test_the_default_device_does_not_matter(feature_map) -> None:
    x = feature_map(9, 11)
    with torch.device("meta"):
        graphs = build_graphs(x)
    check_equal(graphs, build_graphs(x))


@pytest.mark.parametrize("kind", KINDS)
def test_no_node_is_isolated(kind: str) -> None:
    """Rows of zeros are equally similar to everything; no threshold leaves them an edge."""
    x = torch.zeros(2, 3, 9, 20)
    x[0, ..., 10:] = torch.rand(3, 9, 10)
    graph = build_graphs(x)[kind]
    degrees = graph.mask.sum(-1)[:, graph.cells.real]
    assert degrees.min() >= 1 and (degrees[1] == 256).all() and (degrees[0] < 256).any()


def test_the_graph_carries_no_gradient(feature_map) -> None:
    graph = GraphBuilder()(feature_map(8, 8).requires_grad_())["mesh"]
    assert not graph.target_degree.requires_grad


def test_an_unknown_method_is_named(feature_map) -> None:
    with pytest.raises(ValueError, match="method 'best'"):
        build_graphs(feature_map(8, 8), method="best")


@pytest.mark.parametrize("kinds", [(), ("local", "global")])
def test_an_unknown_kind_is_named(kinds) -> None:
    with pytest.raises(ValueError, match=r"one of \['local', 'mesh'\], not \("):
        GraphBuilder(kinds=kinds)


def check_equal(one: dict, other: dict) -> None:
    for kind in KINDS:
        masks: tuple[Tensor, Tensor] = one[kind].mask, other[kind].mask
        assert torch.equal(*masks)


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
    (gradient,) = torch.autograd.grad(graph.target_degree[0, 0, 0], scores)
    assert gradient[0, 0, 0] > 0 and gradient[0, :8, :8].flatten()[1:].max() < 0  # shared in a cell
    # The flattening is towards the mean of the whole map, so other cells matter a little.
    assert gradient[1].abs().max() == 0


def test_whole_degrees_keep_the_gradient(feature_map) -> None:
    scores = torch.rand(2, 16, 16).add_(0.1).requires_grad_()
    x = feature_map(16, 16)
    whole, real = (GraphBuilder(method=m)(x, scores)["mesh"].target_degree for m in ("exact", "bisection"))
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


@pytest.mark.parametrize("method", ["bisection", "exact"])
@pytest.mark.parametrize("kind", KINDS)
def test_float32_and_float64_and_another_order_of_channels_build_the_same(
    latents: Tensor, kind: str, method: str
) -> None:
    graph = build_graphs(latents, reproducible=True, method=method)[kind]
    for other in (latents.float(), latents.flip(1)):
        twin = build_graphs(other, reproducible=True, method=method)[kind]
        assert torch.equal(twin.mask, graph.mask) and torch.equal(twin.target_degree, graph.target_degree)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reproducible_graph_is_the_usual_graph_up_to_ties(feature_map, kind: str) -> None:
    x = (feature_map(32, 32) * 256).round().double() / 256
    usual, found = (build_graphs(x, reproducible=r)[kind] for r in (False, True))
    assert (usual.mask == found.mask).double().mean() > 0.9995
    torch.testing.assert_close(found.target_degree, usual.target_degree, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("detector", ["entropy", "residual", "learned"])
def test_detectors_without_exact_sums_are_refused(detector: str) -> None:
    with pytest.raises(ValueError, match=f"'{detector}' does not give the same bits"):
        build_graphs(torch.zeros(1, 1, 4, 4), detector=detector, reproducible=True)


def test_a_reproducible_graph_refuses_nan(latents: Tensor) -> None:
    latents[1, 0, 3, 3] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        build_graphs(latents, reproducible=True)
