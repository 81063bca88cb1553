from dataclasses import replace

import numpy as np

from glic_pyg.inspection.inspection import Inspection


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
