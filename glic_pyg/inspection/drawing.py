"""Panels that figures are made of: image, map, neighbourhood, and a grid of panels with a caption."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.graphs import Node
from glic_pyg.plotting import COLOUR_MAP, encode_figure, percentile_limits, styled_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_image", "draw_map", "draw_neighbourhood", "grid_figure", "kind_colours", "mark"]

KINDS = {"local": ("#E69F00", "#B87A00"), "mesh": ("#56B4E9", "#2B86BD")}
"""Colours of edges and of text: orange and sky blue of Okabe and Ito, and both dark enough to read."""

_OTHER_KIND = ("#009E73", "#007A59")
_DIMMED = 0.6
_PANEL = 3.3  # inches
_TITLE = 0.4  # inches above a panel
_LINE = 0.16  # inches per line of the caption
_LETTERS = 14  # of the caption per inch


def kind_colours(kind: str) -> tuple[str, str]:
    """Colours of the edges and of the text for a kind of graph."""
    return KINDS.get(kind, _OTHER_KIND)


def draw_image(axes: Axes, rgb: NDArray[np.uint8], title: str = "") -> None:
    """Draw an image, uint8 (H, W, 3), without axes."""
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
    """Draw a map in colours over the extent of an image, with a colour bar above it.

    Args:
        axes: to draw on.
        values: (h, w), cropped to the image; a value covers ``stride`` x ``stride`` pixels.
        stride: pixels per value, along each axis.
        size: height and width of the image in pixels.
        title: above the map.
        span: values of the darkest and the brightest colour; None for the 1st and 99th percentile.
        write: formats the two for the colour bar.
    """
    (height, width), (rows, columns), (low, high) = size, values.shape, span or percentile_limits(values)
    extent = (-0.5, columns * stride - 0.5, rows * stride - 0.5, -0.5)
    shown = axes.imshow(values, cmap=COLOUR_MAP, vmin=low, vmax=high, extent=extent, interpolation="nearest")
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.set_axis_off()
    axes.set_title(title, y=1.0)  # at a fixed height, whatever stands above
    inset = axes.inset_axes((0.72, 1.025, 0.28, 0.025))
    bar = axes.figure.colorbar(shown, cax=inset, orientation="horizontal", ticks=[])
    bar.outline.set_visible(False)
    for x, value in ((0, low), (1, high)):
        inset.text(x, 1.3, write(value), transform=inset.transAxes, ha=("left", "right")[x], fontsize=8)


def draw_neighbourhood(
    axes: Axes, rgb: NDArray[np.uint8], block: BlockGraphs, node: Node, label: str, *, title: str
) -> None:
    """Draw the edges into one node over the dimmed image, those of the first kind on top, and their number.

    The area of a mark and the opacity of its line show the attention weight, averaged over the layers and
    heads of its graph, relative to the strongest neighbour other than the node itself.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    height, width = rgb.shape[:2]
    grey = rgb.mean(axis=2, keepdims=True).repeat(3, axis=2)
    draw_image(axes, ((0.25 * rgb + 0.75 * grey) * _DIMMED).astype(np.uint8))
    centre = _centres(np.array([node]), block.stride)
    for kind, graph in reversed(list(block.graphs.items())):
        neighbours, (colour, _) = graph.neighbours(node), kind_colours(kind)
        weights, others = block.attention(kind, node), (neighbours != node).any(axis=1)
        shares = np.minimum(weights / weights.max(initial=1e-9, where=others), 1)
        ends = _centres(neighbours, block.stride)
        on_image = (ends >= 0).all(1) & (ends[:, 0] < width) & (ends[:, 1] < height)
        ends, shares = ends[on_image], shares[on_image]
        lines = np.stack([centre.repeat(len(ends), axis=0), ends], axis=1)
        colours = [(*to_rgb(colour), 0.15 + 0.6 * share) for share in shares]
        axes.add_collection(LineCollection(list(lines), colors=colours, linewidths=0.7))
        axes.scatter(ends[:, 0], ends[:, 1], s=2 + 16 * shares, color=colour, linewidths=0, zorder=3)
    mark(axes, node, block.stride, label)
    axes.set_title(title, loc="left")
    for x, (kind, graph) in zip((0.73, 1.0), block.graphs.items(), strict=False):
        axes.text(
            x, 1.02, f"{graph.degree[node]} {kind}", transform=axes.transAxes, ha="right", va="bottom",
            color=kind_colours(kind)[1], weight="bold", fontsize=9,
        )  # fmt: skip


def mark(axes: Axes, node: Node, stride: int, label: str) -> None:
    """Draw a white ring at a node and its label beside it."""
    from matplotlib.patheffects import withStroke

    (x, y), outline = _centres(np.array([node]), stride)[0], [withStroke(linewidth=3, foreground="#222222")]
    axes.plot(x, y, "o", ms=7, mfc="none", mec="white", mew=1.8, path_effects=outline, zorder=5)
    axes.annotate(
        label, (x, y), (7, 5), textcoords="offset points", color="white", weight="bold", fontsize=11,
        path_effects=outline, zorder=6,
    )  # fmt: skip


def _centres(nodes: NDArray[np.integer], stride: int) -> NDArray[np.float64]:
    """Rows and columns of nodes (n, 2) to x and y of their centres in pixels (n, 2)."""
    return (nodes[:, ::-1] + 0.5) * stride - 0.5


def grid_figure(
    rows: Sequence[Sequence[Callable[[Axes], None]]], size: tuple[int, int], kind: str, *, caption: str
) -> bytes:
    """A figure of panels in rows, which may be of different lengths.

    Args:
        rows: functions that draw a panel on the axes they are given.
        size: height and width of the image, for the aspect ratio of the panels.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
        caption: a sentence or two below, what one has to know to read it.
    """
    columns, panel_height = max(map(len, rows)), _PANEL * size[0] / size[1] + _TITLE
    lines = textwrap.wrap(caption, int(_LETTERS * _PANEL * columns))
    with styled_figure(_PANEL * columns, panel_height * len(rows) + _LINE * (len(lines) + 1)) as figure:
        panels = figure.subplots(len(rows), columns, squeeze=False)
        for axes in panels.flat:
            axes.set_axis_off()
        for line, drawn in zip(panels, rows, strict=True):
            for axes, draw_panel in zip(line, drawn, strict=False):
                draw_panel(axes)
        figure.supxlabel("\n".join(lines), x=0.005, ha="left", fontsize=8, color="#555555")
        return encode_figure(figure, kind)
