"""Statistics of a graph against counting by hand, and overlaps of two graphs."""

import dataclasses
import math
from itertools import combinations

import networkx
import numpy as np
import pytest
import torch

from glic_pyg.graph import GraphBuilder
from glic_pyg.inspection.graphs import GraphArrays, graph_arrays
from glic_pyg.inspection.inspect import Inspection, inspect_image
from glic_pyg.inspection.stats import (
    LONG,
    GraphStats,
    edge_lengths,
    example_nodes,
    graph_stats,
    overlap,
    overlaps,
    rank_correlation,
)
from glic_pyg.models.glic import GLIC


@pytest.fixture(scope="module")
def all_stats(inspection: Inspection) -> dict[tuple[str, str], GraphStats]:
    return {(each.block, each.kind): each for each in graph_stats(inspection)}


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_counts(inspection: Inspection, all_stats: dict[tuple[str, str], GraphStats], kind: str) -> None:
    graph, stats = inspection.block("g_a stage 2").graphs[kind], all_stats["g_a stage 2", kind]
    lengths, padding = [], 0
    for source, target in zip(graph.source.tolist(), graph.target.tolist(), strict=True):
        padding += source >= 18 * 26
        if source < 18 * 26:
            lengths.append(math.hypot(source // 26 - target // 26, source % 26 - target % 26))
    assert stats.edges == len(graph.source) and stats.nodes == 18 * 26
    assert stats.mean_length == pytest.approx(np.mean(lengths))
    assert stats.long_share == pytest.approx(np.mean(np.array(lengths) > LONG))
    assert stats.padding_share == pytest.approx(padding / stats.edges)
    assert stats.length_histogram[5] == sum(5 <= length < 6 for length in lengths)
    degrees = np.bincount(graph.target, minlength=18 * 26)
    assert stats.degree_histogram[70] == (degrees == 70).sum()
    assert stats.degree == pytest.approx(degrees.mean())
    assert stats.budget_met == pytest.approx(degrees.mean() / graph.target_degree.mean())


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_reciprocity_components_and_out_degree(
    inspection: Inspection, all_stats: dict[tuple[str, str], GraphStats], kind: str
) -> None:
    """Against NetworkX, on the nodes of the map and without self-loops."""
    arrays, stats = inspection.block("g_a stage 2").graphs[kind], all_stats["g_a stage 2", kind]
    graph = networkx.DiGraph(arrays.edge_index.T.tolist())
    graph.remove_nodes_from(range(arrays.num_real, len(arrays.positions)))
    out_degrees = sorted(degree for _, degree in graph.out_degree())
    assert np.array_equal(stats.out_degree_histogram, np.bincount(out_degrees))
    assert stats.out_degree_quantile(0.5) == out_degrees[18 * 26 // 2 - 1]
    assert stats.out_degree_quantile(1) == max(out_degrees)
    graph.remove_edges_from(list(networkx.selfloop_edges(graph)))
    assert 0 < stats.reciprocity < 1
    assert stats.reciprocity == pytest.approx(networkx.overall_reciprocity(graph))
    assert stats.components == networkx.number_weakly_connected_components(graph)
    assert stats.components == (1 if kind == "local" else 4)  # a mesh over 18 x 26 nodes has 2 x 2 grids


def test_long_edges_are_those_that_no_local_graph_has(
    all_stats: dict[tuple[str, str], GraphStats],
) -> None:
    assert all_stats["g_a stage 1", "local"].long_share == 0
    assert all_stats["g_a stage 1", "mesh"].long_share > 0.3


def test_correlations_with_what_is_under_a_node(inspection: Inspection) -> None:
    """An error that is the degree itself, over 130 x 200 pixels: 16 x 25 whole nodes."""
    degree = inspection.block("g_a stage 2").graphs["local"].degree
    pixels = degree.repeat(8, axis=0).repeat(8, axis=1)[:130, :200].astype(np.float32)
    changed = dataclasses.replace(inspection)
    changed.__dict__.update(error_map=pixels, bit_map=-pixels)
    (stats,) = [n for n in graph_stats(changed) if (n.block, n.kind) == ("g_a stage 2", "local")]
    assert stats.error_correlation == pytest.approx(1) and stats.bits_correlation == pytest.approx(-1)


def test_rank_correlation() -> None:
    from scipy.stats import spearmanr

    generator = np.random.default_rng(0)
    one, other = generator.integers(0, 9, (2, 40))
    assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert np.isnan(rank_correlation(np.ones(4), np.arange(4)))


def test_edge_lengths_leave_padding_nodes_out(inspection: Inspection) -> None:
    graph = inspection.block("g_a stage 2").graphs["local"]
    assert len(edge_lengths(graph)) == (graph.source < graph.num_real).sum()


def graph(seed: int, kind: str = "local", shape: tuple[int, int] = (13, 21)) -> GraphArrays:
    x = torch.randn(1, 6, *shape, generator=torch.Generator().manual_seed(seed))
    return graph_arrays(GraphBuilder()(x)[kind], x)


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_common_edges_counted_one_by_one(kind: str) -> None:
    one, other = graph(1, kind), graph(2, kind)
    edges = [set(zip(g.source.tolist(), g.target.tolist(), strict=True)) for g in (one, other)]
    found = overlap(one, other)
    assert found.jaccard == pytest.approx(len(edges[0] & edges[1]) / len(edges[0] | edges[1]))
    mine = [{source for source, target in kept if target == 3 * 21 + 4} for kept in edges]
    assert found.per_node[3, 4] == pytest.approx(len(mine[0] & mine[1]) / len(mine[0] | mine[1]))


def test_a_graph_has_all_in_common_with_itself() -> None:
    assert overlap(graph(1), graph(1)).jaccard == 1 and (overlap(graph(1), graph(1)).per_node == 1).all()


def test_two_kinds_or_sizes_do_not_compare() -> None:
    with pytest.raises(ValueError, match="one kind and one size"):
        overlap(graph(1), graph(1, "mesh"))
    with pytest.raises(ValueError, match="one kind and one size"):
        overlap(graph(1), graph(1, shape=(16, 16)))


def test_all_graphs_of_two_precisions(inspection: Inspection, tiny_glic: GLIC) -> None:
    low = inspect_image(tiny_glic, inspection.image, precision="bf16", layers=())
    found = overlaps(inspection, low)
    assert set(found) == {(b.title, kind) for b in inspection.blocks for kind in ("local", "mesh")}
    assert all(0.5 < each.jaccard <= 1 for each in found.values())
    assert min(each.jaccard for each in found.values()) < 1
    assert np.isfinite([each.per_node for each in found.values() if each.common.shape == (18, 26)]).all()


def test_example_nodes_differ_in_degree_and_lie_apart() -> None:
    degrees = np.add.outer(np.arange(40.0), np.arange(60.0))
    nodes = example_nodes(degrees)
    many, usual, few = (degrees[node] for node in nodes)
    assert many > np.percentile(degrees, 90) > usual > np.percentile(degrees, 20) > few
    assert all(np.hypot(a[0] - b[0], a[1] - b[1]) >= 10 for a, b in combinations(nodes, 2))
    assert all(4 <= row < 36 and 6 <= column < 54 for row, column in nodes)


def test_example_nodes_of_a_tiny_or_flat_map() -> None:
    assert len(example_nodes(np.ones((1, 1)))) == 3
    assert len(set(example_nodes(np.ones((20, 20))))) == 3
