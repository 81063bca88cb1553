"""Complexity and degrees of all blocks."""

from __future__ import annotations

from functools import partial
from typing import Any

from numpy.typing import NDArray

from glic_pyg.inspection.figures.drawing import draw_map
from glic_pyg.inspection.figures.grid import grid_figure
from glic_pyg.inspection.inspection import Inspection

__all__ = ["degree_figure"]

_CAPTION = (
    "Complexity shares out the budget of each graph; degree is how many neighbours a node found. "
    "Colours run from the 1st to the 99th percentile of a map."
)


def degree_figure(inspection: Inspection, kind: str = "png") -> bytes:
    """A row a block: its complexity, then how many neighbours every node has in each of its graphs."""
    height, width = inspection.size
    rows = []
    for block in inspection.blocks:
        maps: dict[str, NDArray[Any]] = {"complexity": block.complexity}
        maps |= {f"{name} degree": graph.degree for name, graph in block.graphs.items()}
        rows.append(
            [
                partial(
                    draw_map,
                    values=block.crop(values, height, width),
                    stride=block.stride,
                    size=(height, width),
                    title=f"{block.title}: {title}",
                )
                for title, values in maps.items()
            ]
        )
    return grid_figure(rows, (height, width), kind, caption=_CAPTION)
