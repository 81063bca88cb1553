import pytest
import torch
from torch import Tensor

from glic_pyg.graph import build_graphs
from glic_pyg.inspection.block_graphs import BlockGraphs, block_graphs, gfa_blocks
from glic_pyg.models.glic import GLIC


def test_blocks_in_the_order_of_the_layers(tiny_glic: GLIC) -> None:
    assert gfa_blocks(tiny_glic.g_a) == [tiny_glic.g_a.blocks[1], tiny_glic.g_a.blocks[2]]


def test_graphs_are_those_of_the_blocks_input(tiny_glic: GLIC, x: Tensor) -> None:
    g_a = tiny_glic.g_a
    found = block_graphs(g_a, gfa_blocks(g_a)[0], x)
    with torch.no_grad():
        stage_0 = g_a.blocks[0](g_a.down[0](x)) + g_a.side[0](x)
        expected = build_graphs(g_a.down[1](stage_0))
    assert torch.equal(found.local.mask, expected["local"].mask)
    assert torch.equal(found.mesh.mask, expected["mesh"].mask)
    assert (found.shape, found.stride) == ((64, 64), 4)


def test_strides(graphs: BlockGraphs) -> None:
    assert (graphs.shape, graphs.stride) == ((32, 32), 8)


def test_nothing_stays_behind(tiny_glic: GLIC, graphs: BlockGraphs) -> None:
    assert all(not block._forward_pre_hooks for block in gfa_blocks(tiny_glic.g_a))


def test_a_block_of_another_transform_is_refused(tiny_glic: GLIC, x: Tensor) -> None:
    with pytest.raises(ValueError, match="no part of this transform"):
        block_graphs(tiny_glic.g_a, gfa_blocks(tiny_glic.g_s)[0], x)


def test_one_picture_only(tiny_glic: GLIC, x: Tensor) -> None:
    with pytest.raises(ValueError, match="one picture"):
        block_graphs(tiny_glic.g_a, gfa_blocks(tiny_glic.g_a)[0], x.repeat(2, 1, 1, 1))
