import numpy as np

from glic_pyg.inspection.exports.columns import attention_of, edge_columns, node_columns
from glic_pyg.inspection.inspection import Inspection


def test_nodes_and_their_phantoms(inspection: Inspection) -> None:
    block = inspection.block("g_a stage 2")
    graph = block.graphs["local"]
    columns = node_columns(block, graph)
    assert {len(values) for values in columns.values()} == {len(graph.positions)}
    assert (columns["x"][33], columns["y"][33]) == (11.5, 11.5)  # node (1, 1) covers pixels 8 to 15
    assert columns["phantom"].sum() == len(graph.positions) - 32 * 32
    assert columns["degree"][33] == graph.degree[1, 1] and not columns["degree"][32 * 32 :].any()


def test_edges_and_attention(inspection: Inspection) -> None:
    block = inspection.block("g_s stage 2")
    graph = block.graphs["mesh"]
    assert np.array_equal(edge_columns(graph)["target"], graph.target)
    attention = attention_of(block, graph)
    assert list(attention) == ["attention_1_0", "attention_1_1"]  # layer 1 has the mesh, 2 heads
    assert np.array_equal(attention["attention_1_1"], block.layers[1].weights()[:, 1])
