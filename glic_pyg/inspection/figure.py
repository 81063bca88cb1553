"""The graphs of one block, drawn over the photograph that they were built for."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.graph_arrays import Node
from glic_pyg.inspection.map_colours import COLOUR_MAP, limits
from glic_pyg.inspection.telling_nodes import telling_nodes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLOURS", "TEXT_COLOURS", "graph_figure"]

COLOURS = {"local": "#E69F00", "mesh": "#56B4E9"}  # orange and sky blue of Okabe and Ito
TEXT_COLOURS = {"local": "#B87A00", "mesh": "#2B86BD"}  # the same, dark enough for letters
_DIMMED = 0.5
_PANEL = 3.7  # inches

Pixels = NDArray[np.uint8]


def graph_figure(
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
    from matplotlib import style
    from matplotlib.figure import Figure

    height, width = photo.shape[:2]
    rgb = photo if photo.ndim == 3 else np.dstack([photo] * 3)
    degrees = graphs.crop(graphs.degree, height, width)
    nodes = telling_nodes(degrees)
    out = io.BytesIO()
    with as_file(files("glic_pyg") / "figures.mplstyle") as look, style.context(look):
        size = (3 * _PANEL, 2 * (_PANEL * height / width + 0.45))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(2, 3)
        _draw_photo(panels[0, 0], rgb, nodes, graphs.stride)
        _draw_degrees(panels[0, 1], rgb, degrees, nodes, graphs.stride)
        if draw_more is None:
            panels[0, 2].set_axis_off()
        else:
            draw_more(panels[0, 2])
            panels[0, 2].set_box_aspect(height / width)
            panels[0, 2].yaxis.tick_right()
            panels[0, 2].yaxis.set_label_position("right")
        for number, (axes, node) in enumerate(zip(panels[1], nodes, strict=True), start=1):
            _draw_neighbourhood(axes, rgb, graphs, node, number)
        figure.savefig(out, format=kind)
    return out.getvalue()


def _draw_photo(axes: Axes, rgb: Pixels, nodes: list[Node], stride: int) -> None:
    _show(axes, rgb)
    axes.set_title("A photograph and three of its nodes")
    for number, node in enumerate(nodes, start=1):
        _mark(axes, node, stride, str(number))


def _draw_degrees(
    axes: Axes, rgb: Pixels, degrees: NDArray[np.int64], nodes: list[Node], stride: int
) -> None:
    """The degree of every node as a colour, over the grey photo."""
    height, width = rgb.shape[:2]
    rows, columns = degrees.shape
    _show(axes, rgb)
    low, high = limits(degrees)
    shown = axes.imshow(
        degrees,
        cmap=COLOUR_MAP,
        vmin=low,
        vmax=high,
        extent=(-0.5, columns * stride - 0.5, rows * stride - 0.5, -0.5),
        interpolation="nearest",
    )
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.set_title("Neighbours of every node", y=1.0)  # a fixed place, whatever stands above
    bar = axes.figure.colorbar(shown, cax=axes.inset_axes((0.7, 1.025, 0.3, 0.035)), orientation="horizontal")
    bar.outline.set_visible(False)
    bar.ax.tick_params(top=True, bottom=False, labeltop=True, labelbottom=False, pad=1)
    bar.ax.locator_params(nbins=3)
    for number, node in enumerate(nodes, start=1):
        _mark(axes, node, stride, str(number))


def _draw_neighbourhood(axes: Axes, rgb: Pixels, graphs: BlockGraphs, node: Node, number: int) -> None:
    """Edges of one node over the dimmed photo, local over mesh."""
    from matplotlib.collections import LineCollection

    height, width = rgb.shape[:2]
    grey = rgb.mean(axis=2, keepdims=True).repeat(3, axis=2)
    _show(axes, ((0.25 * rgb + 0.75 * grey) * _DIMMED).astype(np.uint8))
    centre = _centres(np.array([node]), graphs.stride)
    counts = {}
    for kind, graph in reversed(list(graphs.graphs.items())):
        ends = _centres(graph.neighbours(node), graphs.stride)
        counts[kind], colour = len(ends), COLOURS[kind]
        ends = ends[(ends >= 0).all(1) & (ends[:, 0] < width) & (ends[:, 1] < height)]
        lines = np.stack([centre.repeat(len(ends), axis=0), ends], axis=1)
        axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=0.7, alpha=0.55))
        axes.scatter(ends[:, 0], ends[:, 1], s=9, color=colour, linewidths=0, zorder=3)
    _mark(axes, node, graphs.stride, str(number))
    axes.set_title(f"Node {number}", loc="left")
    for x, kind in zip((1.0, 0.73), counts, strict=False):
        axes.text(
            x, 1.02, f"{counts[kind]} {kind}", transform=axes.transAxes, ha="right", va="bottom",
            color=TEXT_COLOURS[kind], weight="bold", fontsize=9,
        )  # fmt: skip


def _show(axes: Axes, rgb: Pixels) -> None:
    axes.imshow(rgb, interpolation="antialiased")
    axes.set_axis_off()


def _mark(axes: Axes, node: Node, stride: int, label: str) -> None:
    """A white ring at a node and its number beside it."""
    from matplotlib.patheffects import withStroke

    (x, y), outline = _centres(np.array([node]), stride)[0], [withStroke(linewidth=3, foreground="#222222")]
    axes.plot(x, y, "o", ms=7, mfc="none", mec="white", mew=1.8, path_effects=outline, zorder=5)
    axes.annotate(
        label, (x, y), (7, 5), textcoords="offset points", color="white", weight="bold", fontsize=11,
        path_effects=outline, zorder=6,
    )  # fmt: skip


def _centres(nodes: NDArray[np.integer], stride: int) -> NDArray[np.float64]:
    """Rows and columns of nodes (n, 2) to x and y of their middles in pixels (n, 2)."""
    return (nodes[:, ::-1] + 0.5) * stride - 0.5
