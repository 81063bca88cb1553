"""The graphs of one block at a glance, over the photograph that they were built for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.figures.drawing import draw_map, draw_neighbourhood, draw_photo, figure_bytes, mark
from glic_pyg.inspection.telling_nodes import telling_nodes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["overview_figure"]

_PANEL = 3.7  # inches

Pixels = NDArray[np.uint8]


def overview_figure(
    photo: Pixels, graphs: BlockGraphs, *, draw_more: Callable[[Axes], None] | None = None, kind: str = "png"
) -> bytes:
    """Six panels: photo, degrees of its nodes, room for one more, and three neighbourhoods.

    Args:
        photo: uint8 (H, W, 3) or (H, W), without padding.
        graphs: of a block that saw the padded photo.
        draw_more: fills the third panel; without it the panel is left out.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.

    Returns:
        The bytes of the picture file.
    """
    height, width = photo.shape[:2]
    rgb = photo if photo.ndim == 3 else np.dstack([photo] * 3)
    degrees = graphs.crop(graphs.degree, height, width)
    nodes = telling_nodes(degrees)

    def draw(figure: Figure) -> None:
        (first, second, third), neighbourhoods = figure.subplots(2, 3)
        draw_photo(first, rgb, "A photograph and three of its nodes")
        draw_map(second, degrees, graphs.stride, (height, width), "Neighbours of every node")
        _fill(third, draw_more, height / width)
        for number, (axes, node) in enumerate(zip(neighbourhoods, nodes, strict=True), start=1):
            for above in (first, second):
                mark(above, node, graphs.stride, str(number))
            draw_neighbourhood(axes, rgb, graphs, node, str(number), title=f"Node {number}")

    return figure_bytes((3 * _PANEL, 2 * (_PANEL * height / width + 0.45)), draw, kind)


def _fill(axes: Axes, draw_more: Callable[[Axes], None] | None, aspect: float) -> None:
    if draw_more is None:
        axes.set_axis_off()
        return
    draw_more(axes)
    axes.set_box_aspect(aspect)
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
