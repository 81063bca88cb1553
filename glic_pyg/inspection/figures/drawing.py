"""What the figures are drawn with: photo, map, neighbourhood, marked node."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.graph_arrays import Node
from glic_pyg.inspection.map_colours import COLOUR_MAP, limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["centres", "draw_map", "draw_neighbourhood", "draw_photo", "figure_bytes", "kind_colours", "mark"]

Pixels = NDArray[np.uint8]
KINDS = {"local": ("#E69F00", "#B87A00"), "mesh": ("#56B4E9", "#2B86BD")}
"""Colours of edges and of letters: orange and sky blue of Okabe and Ito, and both dark enough to read."""

_OTHER_KIND = ("#009E73", "#007A59")
_DIMMED = 0.6


def figure_bytes(size: tuple[float, float], draw: Callable[[Figure], None], kind: str = "png") -> bytes:
    """Draw a figure in the look of the package.

    Args:
        size: width and height in inches.
        draw: fills the figure.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    out = io.BytesIO()
    with as_file(files("glic_pyg") / "figures.mplstyle") as look, style.context(look):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(out, format=kind)
    return out.getvalue()


def kind_colours(kind: str) -> tuple[str, str]:
    """Colours of the edges and of the letters for a kind of graph."""
    return KINDS.get(kind, _OTHER_KIND)


def draw_photo(axes: Axes, rgb: Pixels, title: str = "") -> None:
    """A photo, uint8 (H, W, 3), without axes."""
    axes.imshow(rgb, interpolation="antialiased")
    axes.set_title(title)
    axes.set_axis_off()


def draw_map(
    axes: Axes,
    values: NDArray[Any],
    stride: int,
    size: tuple[int, int],
    title: str,
    *,
    span: tuple[float, float] | None = None,
    write: Callable[[float], str] = "{:.3g}".format,
) -> None:
    """A map as colours over the place of a photo of (height, width) pixels, its scale above it.

    Args:
        values: (h, w), cut to the photo; a value covers ``stride`` x ``stride`` pixels.
        span: values of the darkest and the brightest colour; None for :func:`map_colours.limits`.
        write: the two as they stand on the scale.
    """
    (height, width), (rows, columns), (low, high) = size, values.shape, span or limits(values)
    extent = (-0.5, columns * stride - 0.5, rows * stride - 0.5, -0.5)
    shown = axes.imshow(values, cmap=COLOUR_MAP, vmin=low, vmax=high, extent=extent, interpolation="nearest")
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.set_axis_off()
    axes.set_title(title, y=1.0)  # a fixed place, whatever stands above
    place = axes.inset_axes((0.72, 1.025, 0.28, 0.025))
    bar = axes.figure.colorbar(shown, cax=place, orientation="horizontal", ticks=[])
    bar.outline.set_visible(False)
    for x, value in ((0, low), (1, high)):
        place.text(x, 1.3, write(value), transform=place.transAxes, ha=("left", "right")[x], fontsize=8)


def draw_neighbourhood(
    axes: Axes, rgb: Pixels, block: BlockGraphs, node: Node, label: str, *, title: str
) -> None:
    """Edges into one node over the dimmed photo, those of the first kind on top, and how many there are.

    The area of a mark and how opaque its line is stand for attention, the mean of the kind's layers and
    heads; the strongest of a kind but the node itself is largest.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    height, width = rgb.shape[:2]
    grey = rgb.mean(axis=2, keepdims=True).repeat(3, axis=2)
    draw_photo(axes, ((0.25 * rgb + 0.75 * grey) * _DIMMED).astype(np.uint8))
    centre = centres(np.array([node]), block.stride)
    for kind, graph in reversed(list(block.graphs.items())):
        neighbours, (colour, _) = graph.neighbours(node), kind_colours(kind)
        weights, others = block.attention(kind, node), (neighbours != node).any(axis=1)
        shares = np.minimum(weights / weights.max(initial=1e-9, where=others), 1)
        ends = centres(neighbours, block.stride)
        on_photo = (ends >= 0).all(1) & (ends[:, 0] < width) & (ends[:, 1] < height)
        ends, shares = ends[on_photo], shares[on_photo]
        lines = np.stack([centre.repeat(len(ends), axis=0), ends], axis=1)
        colours = [(*to_rgb(colour), 0.15 + 0.6 * share) for share in shares]
        axes.add_collection(LineCollection(list(lines), colors=colours, linewidths=0.7))
        axes.scatter(ends[:, 0], ends[:, 1], s=2 + 16 * shares, color=colour, linewidths=0, zorder=3)
    mark(axes, node, block.stride, label)
    axes.set_title(title, loc="left")
    _write_counts(axes, ((kind, int(graph.degree[node])) for kind, graph in block.graphs.items()))


def mark(axes: Axes, node: Node, stride: int, label: str) -> None:
    """A white ring at a node and its label beside it."""
    from matplotlib.patheffects import withStroke

    (x, y), outline = centres(np.array([node]), stride)[0], [withStroke(linewidth=3, foreground="#222222")]
    axes.plot(x, y, "o", ms=7, mfc="none", mec="white", mew=1.8, path_effects=outline, zorder=5)
    axes.annotate(
        label, (x, y), (7, 5), textcoords="offset points", color="white", weight="bold", fontsize=11,
        path_effects=outline, zorder=6,
    )  # fmt: skip


def centres(nodes: NDArray[np.integer], stride: int) -> NDArray[np.float64]:
    """Rows and columns of nodes (n, 2) to x and y of their middles in pixels (n, 2)."""
    return (nodes[:, ::-1] + 0.5) * stride - 0.5


def _write_counts(axes: Axes, counts: Iterable[tuple[str, int]]) -> None:
    """Above the right edge, e.g. ``64 local  60 mesh`` in the colours of the kinds."""
    for place, (kind, count) in zip((0.73, 1.0), counts, strict=False):
        axes.text(
            place, 1.02, f"{count} {kind}", transform=axes.transAxes, ha="right", va="bottom",
            color=kind_colours(kind)[1], weight="bold", fontsize=9,
        )  # fmt: skip
