"""The degrees of a model's graphs as pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from glic_pyg.graph import WindowGraph
from glic_pyg.inspection.block_graphs import gfa_blocks
from glic_pyg.inspection.neighbourhoods import degree_map

__all__ = ["degree_maps"]


@torch.no_grad()
def degree_maps(model: Any, x: Tensor) -> dict[str, Tensor]:
    """How many neighbours every node of g_a's graphs has, bright where there are many.

    Args:
        model: with a transform ``g_a``; of a model without graphs there are no maps.
        x: one picture, (1, 3, H, W) in [0, 1], padded.

    Returns:
        ``degrees/<block>/<local or mesh>`` → (3, h, w) grey in [0, 1]; white is the largest degree.
    """
    if not isinstance(model.g_a, nn.Module):
        return {}
    maps: dict[str, Tensor] = {}
    hooks = [
        block.register_forward_pre_hook(_watch(maps, number))
        for number, block in enumerate(gfa_blocks(model.g_a))
    ]
    try:
        if hooks:
            model.g_a(x)
    finally:
        for hook in hooks:
            hook.remove()
    return maps


def _watch(maps: dict[str, Tensor], number: int) -> Any:
    """A hook that keeps the degrees of the graphs a block is about to build."""

    def keep(block: Any, inputs: tuple[Tensor, ...]) -> None:
        for kind, graph in block.builder(inputs[0]).items():
            maps[f"degrees/{number}/{kind}"] = _grey(graph)

    return keep


def _grey(graph: WindowGraph) -> Tensor:
    degrees = torch.from_numpy(degree_map(graph)).float()
    return (degrees / degrees.max()).expand(3, -1, -1)
