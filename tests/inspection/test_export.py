"""PyG data that PyG itself finds valid, NetworkX graphs, and columns."""

from dataclasses import replace
from pathlib import Path

import networkx
import numpy as np
import pytest
import torch

from glic_pyg.graph import GraphBuilder, build_graphs, complexity_map
from glic_pyg.inspection.attention import BlockGraphs, LayerAttention
from glic_pyg.inspection.export import (
    as_data,
    as_hetero_data,
    as_networkx,
    attention_columns,
    edge_columns,
    node_columns,
)
from glic_pyg.inspection.export_files import graphml_sizes, write_graphml
from glic_pyg.inspection.graphs import graph_arrays
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.nn import GFAConv


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_data(inspection: Inspection, kind: str) -> None:
    block = inspection.block("g_a stage 2")
    graph, data = block.graphs[kind], as_data(block, kind)
    assert data.validate() and data.is_directed()
    assert np.array_equal(data.edge_index, graph.edge_index)
    assert data.attention.shape == (data.num_edges, 1, 2)
    assert np.array_equal(data.degree[: 18 * 26], graph.degree.ravel())
    assert data.pos[27].tolist() == [11.5, 11.5]


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_gfa_conv_on_data_is_gfa_conv_on_the_window_graph(inspection: Inspection, kind: str) -> None:
    block = inspection.block("g_a stage 2")
    data, conv = as_data(block, kind), GFAConv(block.features.shape[1], heads=2).eval()
    features = block.features.T.reshape(1, -1, 18, 26)
    with torch.no_grad():
        fast = conv(block.features[None], build_graphs(features)[kind])[0]
        plain = conv(data.x, data.edge_index, data.edge_attr, data.padding)[: 18 * 26]
    torch.testing.assert_close(plain, fast, atol=1e-5, rtol=1e-4)


def test_hetero_data(inspection: Inspection) -> None:
    block = inspection.block("g_a stage 2")
    data = as_hetero_data(block)
    assert data.validate()
    assert data["node"].num_nodes == 18 * 26
    for kind, graph in block.graphs.items():
        inner, outer = data["node", kind, "node"], data["padding", kind, "node"]
        assert inner.num_edges + outer.num_edges == len(graph.source)
        degrees = sum(torch.bincount(e.edge_index[1], minlength=18 * 26) for e in (inner, outer))
        assert np.array_equal(degrees, data["node"][f"{kind}_degree"])
        beside = graph.source >= graph.num_real
        middles = graph.positions[graph.source[beside]][:, ::-1] * 8 + 3.5
        assert np.array_equal(data["padding"].pos[outer.edge_index[0]], middles)
        assert np.array_equal(outer.similarity, graph.similarity[beside])
        assert np.array_equal(outer.edge_attr, graph.offset[beside])
    assert torch.equal(data["node"].x, block.features) and not data["padding"].x.any()


def test_nodes_and_padding_nodes(inspection: Inspection) -> None:
    block = inspection.block("g_a stage 2")
    graph = block.graphs["local"]
    columns = node_columns(block, graph)
    assert {len(values) for values in columns.values()} == {len(graph.positions)}
    assert (columns["pos_x"][27], columns["pos_y"][27]) == (11.5, 11.5)  # node (1, 1) covers pixels 8 to 15
    assert columns["padding"].sum() == len(graph.positions) - 18 * 26
    assert columns["degree"][27] == graph.degree[1, 1] and not columns["degree"][18 * 26 :].any()


def test_edges_and_attention(inspection: Inspection) -> None:
    block = inspection.block("g_s stage 2")
    graph = block.graphs["mesh"]
    columns = edge_columns(graph)
    assert np.array_equal(columns["target"], graph.target)
    assert np.array_equal(np.stack([columns["offset_row"], columns["offset_column"]], 1), graph.offset)
    attention = attention_columns(block, graph)
    assert list(attention) == ["attention_1_0", "attention_1_1"]  # layer 1 has the mesh, 2 heads
    assert np.array_equal(attention["attention_1_1"], block.layers[1].weights()[:, 1])


@pytest.fixture(scope="module")
def block() -> BlockGraphs:
    """A map of 6 x 10 nodes; padding nodes on all sides."""
    torch.manual_seed(0)
    x = torch.randn(1, 4, 6, 10)
    local = graph_arrays(GraphBuilder(mean_degree=8)(x)["local"], x)
    layer = LayerAttention(0, local, GFAConv(4, heads=2), torch.randn(60, 4))
    rows = x[0].flatten(1).T
    return BlockGraphs("g_a.blocks.2", 8, complexity_map(x)[0].numpy(), rows, {"local": local}, (layer,))


@pytest.fixture(scope="module")
def graph(block: BlockGraphs) -> networkx.DiGraph:
    return as_networkx(block, "local")


def test_neighbours_are_predecessors(graph: networkx.DiGraph, block: BlockGraphs) -> None:
    local = block.graphs["local"]
    assert graph.number_of_edges() == len(local.source)
    mine = local.edges((2, 7))
    assert sorted(graph.predecessors(27)) == sorted(local.source[mine].tolist())
    weights = block.layers[0].weights([(2, 7)])
    last = int(local.source[mine][-1])
    assert graph.edges[last, 27]["attention_0_1"] == pytest.approx(weights[-1, 1])
    assert graph.nodes[27]["degree"] == mine.stop - mine.start
    assert graph.graph == {"block": "g_a.blocks.2", "kind": "local", "stride": 8}


def test_graphml_is_the_same_graph(graph: networkx.DiGraph, block: BlockGraphs, tmp_path: Path) -> None:
    write_graphml(block, "local", tmp_path / "graph.graphml")
    back = networkx.read_graphml(tmp_path / "graph.graphml", node_type=int)
    assert set(back.edges) == set(graph.edges) and set(back.nodes) == set(graph.nodes)
    for node in graph.nodes:
        assert dict(back.nodes[node]) == pytest.approx(graph.nodes[node])
    for edge in graph.edges:
        assert back.edges[edge] == pytest.approx(graph.edges[edge])


def test_the_size_of_graphml_is_known_before(inspection: Inspection, tmp_path: Path) -> None:
    block = inspection.block("g_s stage 2")
    sizes = graphml_sizes(replace(inspection, blocks=[block]), tmp_path / "a.graphml")
    assert len(sizes) == 2 and graphml_sizes(inspection, tmp_path / "a.npz") == {}
    write_graphml(block, "mesh", tmp_path / "a.graphml")
    expected = sizes[tmp_path / f"a.{block.name}.mesh.graphml"]
    assert (tmp_path / "a.graphml").stat().st_size == pytest.approx(expected, rel=0.02)
