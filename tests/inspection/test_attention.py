"""Attention weights: they sum to 1, make the layer's own output, and average over layers and heads."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from glic_pyg.graph import GraphBuilder
from glic_pyg.inspection import attention
from glic_pyg.inspection.attention import LayerAttention
from glic_pyg.inspection.graphs import graph_arrays
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.nn import GFAConv


@pytest.fixture(scope="module", params=["local", "mesh"])
def layer_and_output(request: pytest.FixtureRequest) -> tuple[LayerAttention, Tensor]:
    """A layer on a map of 13 x 21, padding and fillers included, and what it computes by its fast path."""
    torch.manual_seed(3)
    x = torch.randn(1, 12, 13, 21)
    graph, conv = GraphBuilder()(x)[request.param], GFAConv(12, heads=3)
    rows = torch.randn(1, 13 * 21, 12)
    with torch.no_grad():
        return LayerAttention(0, graph_arrays(graph, x), conv, rows[0]), conv(rows, graph)[0]


def test_weights_of_every_node_and_head_sum_to_one(layer_and_output: tuple[LayerAttention, Tensor]) -> None:
    layer, _ = layer_and_output
    weights = layer.weights()
    assert weights.shape == (len(layer.graph.source), 3) and weights.min() >= 0
    np.testing.assert_allclose(np.add.reduceat(weights, layer.graph.colptr[:-1]), 1, rtol=1e-5)


def test_weights_make_the_output_of_the_layer(layer_and_output: tuple[LayerAttention, Tensor]) -> None:
    layer, output = layer_and_output
    graph, conv = layer.graph, layer.conv
    with torch.no_grad():
        values = torch.zeros(graph.num_real + 1, 3, 4)
        values[:-1] = conv.to_kv(layer.rows)[:, 12:].unflatten(-1, (3, 4))
        read = values[np.minimum(graph.source, graph.num_real)]
        messages = torch.from_numpy(layer.weights())[..., None] * read
        summed = torch.zeros(graph.num_real, 3, 4).index_add_(
            0, torch.from_numpy(graph.target).long(), messages
        )
        torch.testing.assert_close(conv.out(summed.flatten(1)), output, atol=1e-5, rtol=1e-4)


def test_some_nodes_are_a_part_of_all(
    layer_and_output: tuple[LayerAttention, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, _ = layer_and_output
    whole, nodes = layer.weights(), [(12, 20), (0, 3)]
    expected = np.concatenate([whole[layer.graph.edges(node)] for node in nodes])
    np.testing.assert_allclose(layer.weights(nodes), expected, rtol=1e-5)
    monkeypatch.setattr(attention, "ELEMENTS_AT_ONCE", 1000)  # many small parts
    np.testing.assert_allclose(layer.weights(), whole, rtol=1e-5)


def test_a_node_beside_the_map_is_refused(layer_and_output: tuple[LayerAttention, Tensor]) -> None:
    with pytest.raises(ValueError, match="not on a map"):
        layer_and_output[0].weights([(13, 0)])


def test_attention_is_the_mean_over_layers_and_heads(inspection: Inspection) -> None:
    block, node = inspection.block("g_a stage 2"), (5, 20)
    local, mesh = block.layers
    twice = replace(block, layers=[local, mesh, replace(local, rows=2 * local.rows)])
    assert np.allclose(block.attention("mesh", node), mesh.weights([node]).mean(axis=1))
    both = [layer.weights([node]).mean(axis=1) for layer in (twice.layers[0], twice.layers[2])]
    assert not np.allclose(*both) and np.allclose(twice.attention("local", node), np.mean(both, axis=0))


def test_shares_are_equal_where_no_layer_is_known(inspection: Inspection) -> None:
    block = replace(inspection.block("g_a stage 2"), layers=[])
    shares = block.attention("local", (3, 4))
    assert len(shares) == block.graphs["local"].degree[3, 4] and np.allclose(shares, 1 / len(shares))


def test_mean_attention_of_all_edges_is_that_of_every_node(inspection: Inspection) -> None:
    block, node = inspection.block("g_a stage 2"), (5, 20)
    for kind, weights in block.mean_attention.items():
        mine = weights[block.graphs[kind].edges(node)]
        np.testing.assert_allclose(mine, block.attention(kind, node), rtol=1e-5)
    assert replace(block, layers=block.layers[:1]).mean_attention.keys() == {"local"}
