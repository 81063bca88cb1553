"""Tiled execution, which runs without gradients, equals execution of the map in one piece."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from glic_pyg.graph import build_graphs
from glic_pyg.nn import GatedBlock, GFABlock, GFALayer, PointwiseBlock

# Less than a tile of 16 rows, one, one and a row (less than a halo of two), two and a half.
HEIGHTS = [1, 5, 16, 17, 40]


def random_weights(module: nn.Module) -> nn.Module:
    """The module in float64, all its parameters of a size that shows in the output."""
    for parameter in module.double().parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def both_ways(module: nn.Module, *inputs: object) -> tuple[Tensor, Tensor]:
    """Output without and with gradients enabled."""
    with torch.no_grad():
        tiled = module(*inputs)
    whole = module(*inputs)
    assert whole.requires_grad and not tiled.requires_grad
    return tiled, whole


@pytest.mark.parametrize("height", HEIGHTS)
@pytest.mark.parametrize("block", [GatedBlock, PointwiseBlock])
def test_convolutional_blocks(block: type[GatedBlock | PointwiseBlock], height: int) -> None:
    x = torch.randn(2, 6, height, 7, dtype=torch.float64)
    tiled, whole = both_ways(random_weights(block(6, 8, 2)), x)
    torch.testing.assert_close(tiled, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("height", HEIGHTS)
def test_gfa_layer(height: int) -> None:
    x = torch.randn(2, 6, height, 7, dtype=torch.float64)
    graph = build_graphs(x)["local"]
    layer = random_weights(GFALayer(6, 2, heads=2))
    tiled, whole = both_ways(layer, x.permute(0, 2, 3, 1).contiguous(), graph)
    torch.testing.assert_close(tiled, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("height", [5, 40])
def test_gfa_block(height: int) -> None:
    x = torch.randn(2, 6, height, 7, dtype=torch.float64)
    tiled, whole = both_ways(random_weights(GFABlock(6, 2, depth=3, heads=2)), x)
    torch.testing.assert_close(tiled, whole, rtol=1e-11, atol=1e-11)


def test_memory_layout_does_not_matter() -> None:
    x = torch.randn(2, 6, 17, 7, dtype=torch.float64)
    block = random_weights(GatedBlock(6, 6, 2))
    with torch.no_grad():
        outputs = [block(x), block(x.to(memory_format=torch.channels_last)), block(x.mT.contiguous().mT)]
    torch.testing.assert_close(outputs[1], outputs[0], rtol=0, atol=0)
    torch.testing.assert_close(outputs[2], outputs[0], rtol=0, atol=0)
