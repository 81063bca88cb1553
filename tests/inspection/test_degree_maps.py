"""Degrees as pictures."""

import numpy as np
import torch

from glic_pyg.inspection.block_graphs import block_graphs, gfa_blocks
from glic_pyg.inspection.degree_maps import degree_maps
from glic_pyg.inspection.neighbourhoods import degree_map
from tests.contracts.backbones import untrained


def test_one_map_for_every_graph_of_every_block() -> None:
    model = untrained("glic")
    x = torch.rand(1, 3, 128, 256)
    maps = degree_maps(model, x)
    assert set(maps) == {f"degrees/{block}/{kind}" for block in (0, 1) for kind in ("local", "mesh")}
    assert maps["degrees/0/local"].shape == (3, 32, 64) and maps["degrees/1/mesh"].shape == (3, 16, 32)
    for number, block in enumerate(gfa_blocks(model.g_a)):
        graphs = block_graphs(model.g_a, block, x)
        for kind, graph in (("local", graphs.local), ("mesh", graphs.mesh)):
            degrees = degree_map(graph)
            np.testing.assert_allclose(
                maps[f"degrees/{number}/{kind}"][1], degrees / degrees.max(), rtol=1e-6
            )
    assert not [hooks for module in model.modules() for hooks in module._forward_pre_hooks]


def test_a_model_without_graphs_has_none() -> None:
    assert degree_maps(untrained("hyperprior"), torch.rand(1, 3, 64, 64)) == {}
