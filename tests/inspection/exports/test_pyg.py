"""PyG data that a GFAConv can run on and that PyG itself finds sound."""

import numpy as np
import pytest
import torch

from glic_pyg.inspection.exports.pyg import as_data, as_hetero_data
from glic_pyg.inspection.inspection import Inspection


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_data(inspection: Inspection, kind: str) -> None:
    block = inspection.block("g_a stage 2")
    graph, data = block.graphs[kind], as_data(block, kind)
    assert data.validate() and data.is_directed()
    assert np.array_equal(data.edge_index, graph.edge_index)
    assert data.attention.shape == (data.num_edges, 1, 2)
    assert np.array_equal(data.degree[: 32 * 32], graph.degree.ravel())
    assert data.pos[33].tolist() == [11.5, 11.5]


def test_hetero_data(inspection: Inspection) -> None:
    block = inspection.block("g_a stage 2")
    data = as_hetero_data(block)
    assert data.validate()
    assert data["node"].num_nodes == 32 * 32
    for kind, graph in block.graphs.items():
        inner, outer = data["node", kind, "node"], data["phantom", kind, "node"]
        assert inner.num_edges + outer.num_edges == len(graph.source)
        degrees = sum(torch.bincount(e.edge_index[1], minlength=32 * 32) for e in (inner, outer))
        assert np.array_equal(degrees, data["node"][f"{kind}_degree"])
        beside = graph.source >= graph.num_real
        middles = graph.positions[graph.source[beside]][:, ::-1] * 8 + 3.5
        assert np.array_equal(data["phantom"].pos[outer.edge_index[0]], middles)
        assert np.array_equal(outer.similarity, graph.similarity[beside])
