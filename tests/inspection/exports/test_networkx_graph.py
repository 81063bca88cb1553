from pathlib import Path

import networkx
import pytest
import torch

from glic_pyg.graph import GraphBuilder, complexity_map
from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.exports.networkx_graph import as_networkx, write_graphml
from glic_pyg.inspection.graph_arrays import graph_arrays
from glic_pyg.inspection.layer_attention import LayerAttention
from glic_pyg.nn import GFAConv


@pytest.fixture(scope="module")
def block() -> BlockGraphs:
    """A map of 6 x 10 nodes; phantoms on all sides."""
    torch.manual_seed(0)
    x = torch.randn(1, 4, 6, 10)
    local = graph_arrays(GraphBuilder(mean_degree=8)(x)["local"], x)
    layer = LayerAttention(0, local, GFAConv(4, heads=2), torch.randn(60, 4))
    return BlockGraphs("g_a.blocks.2", 8, complexity_map(x)[0].numpy(), {"local": local}, (layer,))


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
