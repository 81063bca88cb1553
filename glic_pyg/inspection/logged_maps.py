"""Maps of what a model sees in a picture, for the logs of a training run."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.inspection.inspection import inspect_picture
from glic_pyg.inspection.map_colours import map_colours

__all__ = ["logged_maps"]


def logged_maps(model: Any, x: Tensor) -> dict[str, Tensor]:
    """Complexity and degrees of every block, bits and error, coloured as in the figures.

    Args:
        model: in eval mode; of one without graphs there are bits and error alone.
        x: one picture, (1, 3, H, W) in [0, 1], padded.

    Returns:
        ``graphs/<block>/complexity``, ``graphs/<block>/<kind of graph>``, ``bits`` and ``error`` →
        (3, h, w) in [0, 1], each between its own 1st and 99th percentile.
    """
    colour = (x[0].permute(1, 2, 0) * 255).round().to(torch.uint8).cpu().numpy()
    seen = inspect_picture(model, colour, layers=())
    maps: dict[str, NDArray[Any]] = {"bits": seen.bits.per_cell, "error": seen.error_map}
    for block in seen.blocks:
        maps[f"graphs/{block.name}/complexity"] = block.complexity
        for kind, graph in block.graphs.items():
            maps[f"graphs/{block.name}/{kind}"] = graph.degree
    return {name: torch.from_numpy(map_colours(values)).permute(2, 0, 1) for name, values in maps.items()}
