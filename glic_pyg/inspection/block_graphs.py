"""The graphs that a GFA block builds while a model looks at a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from glic_pyg.graph import WindowGraph
from glic_pyg.nn import GFABlock

__all__ = ["BlockGraphs", "block_graphs", "gfa_blocks"]


@dataclass(frozen=True)
class BlockGraphs:
    """The graphs of one block for one picture.

    Attributes:
        local, mesh: graphs of one map.
        stride: pixels of the padded picture a node of the map, along each axis.
    """

    local: WindowGraph
    mesh: WindowGraph
    stride: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the map in nodes."""
        return self.local.cells.height, self.local.cells.width


def gfa_blocks(transform: nn.Module) -> list[GFABlock]:
    """The GFA blocks of g_a or g_s, in the order of the layers."""
    return [module for module in transform.modules() if isinstance(module, GFABlock)]


@torch.inference_mode()
def block_graphs(g_a: nn.Module, block: GFABlock, x: Tensor) -> BlockGraphs:
    """Run an analysis transform and keep the graphs of one of its blocks.

    Args:
        g_a: the transform.
        block: one of its blocks.
        x: one picture, padded, (1, 3, H, W) in [0, 1].

    Raises:
        ValueError: the block is no part of ``g_a``, or ``x`` is not one picture.
    """
    if x.dim() != 4 or x.shape[0] != 1:
        raise ValueError(f"graphs are shown of one picture, (1, 3, H, W), not of {tuple(x.shape)}")
    seen: list[Tensor] = []

    def keep(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen.append(inputs[0])

    hook = block.register_forward_pre_hook(keep)
    try:
        g_a(x)
    finally:
        hook.remove()
    if not seen:
        raise ValueError("the block is no part of this transform; take one of gfa_blocks(g_a)")
    graphs = block.builder(seen[0])
    return BlockGraphs(graphs["local"], graphs["mesh"], x.shape[2] // seen[0].shape[2])
