"""The graphs of one block, drawn over the photograph that they were built for."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.neighbourhoods import Node, degree_map, neighbours, telling_nodes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LOCAL_COLOUR", "MESH_COLOUR", "graph_figure"]

LOCAL_COLOUR, MESH_COLOUR = "#E69F00", "#56B4E9"  # orange and sky blue of Okabe and Ito
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
    degrees = _cropped(degree_map(graphs.local) + degree_map(graphs.mesh), graphs.stride, height, width)
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
    axes: Axes, rgb: Pixels, degrees: NDArray[np.float64], nodes: list[Node], stride: int
) -> None:
    """The degree of every node as a colour, over the grey photo."""
    height, width = rgb.shape[:2]
    rows, columns = degrees.shape
    _show(axes, rgb)
    limits = np.percentile(degrees, (1, 99))
    shown = axes.imshow(
        degrees,
        cmap="cividis",
        vmin=limits[0],
        vmax=limits[1],
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
    for name, graph, colour in (("mesh", graphs.mesh, MESH_COLOUR), ("local", graphs.local, LOCAL_COLOUR)):
        ends = _centres(neighbours(graph, node), graphs.stride)
        ends = ends[(ends[:, 0] < width) & (ends[:, 1] < height)]
        counts[name] = int(degree_map(graph)[node])
        lines = np.stack([centre.repeat(len(ends), axis=0), ends], axis=1)
        axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=0.7, alpha=0.55))
        axes.scatter(ends[:, 0], ends[:, 1], s=9, color=colour, linewidths=0, zorder=3)
    _mark(axes, node, graphs.stride, str(number))
    axes.set_title(f"Node {number}", loc="left")
    for x, name, colour in ((0.73, "local", "#B87A00"), (1.0, "mesh", "#2B86BD")):
        axes.text(
            x, 1.0, f"{counts[name]} {name}", transform=axes.transAxes, ha="right", va="bottom",
            color=colour, weight="bold", fontsize=9,
        ).set_y(1.02)  # fmt: skip


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


def _centres(nodes: NDArray[np.int64], stride: int) -> NDArray[np.float64]:
    """Rows and columns of nodes (n, 2) to x and y of their middles in pixels (n, 2)."""
    return (nodes[:, ::-1] + 0.5) * stride - 0.5


def _cropped(nodes: NDArray[np.float64], stride: int, height: int, width: int) -> NDArray[np.float64]:
    """The part of a map that lies over the photo and not over its padding."""
    return nodes[: -(-height // stride), : -(-width // stride)]
