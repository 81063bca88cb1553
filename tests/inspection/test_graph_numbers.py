"""Numbers of a graph against counting by hand."""

import dataclasses
import math

import numpy as np
import pytest

from glic_pyg.inspection.graph_numbers import LONG, edge_lengths, graph_numbers, rank_correlation
from glic_pyg.inspection.inspection import Inspection


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_counts(inspection: Inspection, kind: str) -> None:
    graph = inspection.block("g_a stage 2").graphs[kind]
    (numbers,) = [n for n in graph_numbers(inspection) if (n.block, n.kind) == ("g_a stage 2", kind)]
    lengths, phantoms = [], 0
    for source, target in zip(graph.source.tolist(), graph.target.tolist(), strict=True):
        phantoms += source >= 32 * 32
        if source < 32 * 32:
            lengths.append(math.hypot(source // 32 - target // 32, source % 32 - target % 32))
    assert numbers.edges == len(graph.source) and numbers.nodes == 32 * 32
    assert numbers.mean_length == pytest.approx(np.mean(lengths))
    assert numbers.long_share == pytest.approx(np.mean(np.array(lengths) > LONG))
    assert numbers.phantom_share == pytest.approx(phantoms / numbers.edges)
    assert numbers.length_histogram[5] == sum(5 <= length < 6 for length in lengths)
    degrees = np.bincount(graph.target, minlength=32 * 32)
    assert numbers.degree_histogram[70] == (degrees == 70).sum()
    assert numbers.degree == pytest.approx(degrees.mean())
    assert numbers.budget_met == pytest.approx(degrees.mean() / graph.target_degree.mean())


def test_long_edges_are_those_that_no_local_graph_has(inspection: Inspection) -> None:
    shares = {(n.block, n.kind): n.long_share for n in graph_numbers(inspection)}
    assert shares["g_a stage 1", "local"] == 0 and shares["g_a stage 1", "mesh"] > 0.3


def test_correlations_with_what_is_under_a_node(inspection: Inspection) -> None:
    """An error that is the degree itself, over 130 x 200 pixels: 16 x 25 whole nodes."""
    degree = inspection.block("g_a stage 2").graphs["local"].degree
    pixels = degree.repeat(8, axis=0).repeat(8, axis=1)[:130, :200].astype(np.float32)
    changed = dataclasses.replace(inspection)
    changed.__dict__.update(error_map=pixels, bit_map=-pixels)
    (numbers,) = [n for n in graph_numbers(changed) if (n.block, n.kind) == ("g_a stage 2", "local")]
    assert numbers.error_correlation == pytest.approx(1) and numbers.bits_correlation == pytest.approx(-1)


def test_rank_correlation() -> None:
    from scipy.stats import spearmanr

    generator = np.random.default_rng(0)
    one, other = generator.integers(0, 9, (2, 40))
    assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert np.isnan(rank_correlation(np.ones(4), np.arange(4)))


def test_edge_lengths_leave_phantoms_out(inspection: Inspection) -> None:
    graph = inspection.block("g_a stage 2").graphs["local"]
    assert len(edge_lengths(graph)) == (graph.source < graph.num_real).sum()
