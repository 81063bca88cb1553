"""Figures of an inspection, and crops of several reconstructions side by side, as image files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.drawing import draw_image, draw_map, draw_neighbourhood, grid_figure, mark
from glic_pyg.inspection.fields import ReceptiveFields
from glic_pyg.inspection.graphs import Node
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.inspection.stats import example_nodes
from glic_pyg.models.base import LATENT_STRIDE
from glic_pyg.plotting import encode_figure, styled_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Pixel",
    "bits_and_error_figure",
    "crop_figure",
    "degree_figure",
    "detailed_corner",
    "example_pixels",
    "field_figure",
    "neighbourhood_figure",
    "overview_figure",
]

Pixel = tuple[int, int]
"""Row and column in an image."""

_FIELD_SPAN = (-5.0, -2.0)  # powers of ten relative to the strongest pixel
_OVERVIEW_PANEL = 3.7  # inches
_CROP_PANEL = 3.0  # inches


def bits_and_error_figure(inspection: Inspection, kind: str = "png") -> bytes:
    """Image and reconstruction above, bits per pixel and error in 8-bit levels (RMS) below."""
    size = inspection.size
    bits = inspection.bit_map[::LATENT_STRIDE, ::LATENT_STRIDE]
    error = np.sqrt(inspection.error_map)
    rows = [
        [
            partial(draw_image, rgb=inspection.image, title="Original"),
            partial(draw_image, rgb=inspection.decoded, title="Decoded"),
        ],
        [
            partial(draw_map, values=bits, stride=LATENT_STRIDE, size=size, title="Bits per pixel"),
            partial(draw_map, values=error, stride=1, size=size, title="Error in levels of 255"),
        ],
    ]
    caption = "Bits: as the entropy model estimates them, per 16 × 16 pixels. Error: RMS over colours."
    return grid_figure(rows, size, kind, caption=caption)


def degree_figure(inspection: Inspection, kind: str = "png") -> bytes:
    """A row per block: its complexity, then the degree of every node in each of its graphs."""
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
    caption = (
        "Complexity shares out the edge budget of each graph; degree is the number of neighbours that a node "
        "found. Colours run from the 1st to the 99th percentile of a map."
    )
    return grid_figure(rows, (height, width), kind, caption=caption)


def example_pixels(inspection: Inspection) -> list[Pixel]:
    """The centres of three nodes of high, median and low degree in the last block of g_a."""
    block = [block for block in inspection.blocks if block.transform == "g_a"][-1]
    nodes = example_nodes(block.crop(block.degree, *inspection.size))
    (bottom, right), middle = (length - 1 for length in inspection.size), block.stride // 2
    return [
        (min(row * block.stride + middle, bottom), min(column * block.stride + middle, right))
        for row, column in nodes
    ]


def neighbourhood_figure(inspection: Inspection, pixels: Sequence[Pixel], kind: str = "png") -> bytes:
    """A row per block, a column per pixel: the node at that pixel and its neighbours.

    Args:
        inspection: with blocks.
        pixels: rows and columns in the image.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    rows = [
        [
            partial(
                draw_neighbourhood,
                rgb=inspection.image,
                block=block,
                node=(row // block.stride, column // block.stride),
                label=str(number),
                title=f"{block.title}: node {number}",
            )
            for number, (row, column) in enumerate(pixels, start=1)
        ]
        for block in inspection.blocks
    ]
    caption = (
        "A mark is a node that the ringed node attends to; its area is the attention weight, averaged over "
        "layers and heads, relative to the strongest of its graph. Above: the degrees, padding included."
    )
    return grid_figure(rows, inspection.size, kind, caption=caption)


def field_figure(fields: Mapping[str, ReceptiveFields], kind: str = "png") -> bytes:
    """A row per model, a column per position of y: its receptive field in powers of ten.

    Args:
        fields: by name of the model, e.g. ``untrained``; all of the same positions and image.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    rows = [
        [
            partial(
                _draw_field, field=field, node=(int(row), int(column)), title=f"{name}: position {number}"
            )
            for number, (field, (row, column)) in enumerate(
                zip(found.maps, found.positions, strict=True), start=1
            )
        ]
        for name, found in fields.items()
    ]
    height, width = next(iter(fields.values())).maps.shape[1:]
    caption = (
        "Brightness: gradient of the latents at the ringed position with respect to each pixel, "
        "relative to the strongest pixel."
    )
    return grid_figure(rows, (height, width), kind, caption=caption)


def _draw_field(axes: Axes, field: NDArray[np.float32], node: Node, title: str) -> None:
    height, width = field.shape
    relative = np.log10(np.maximum(field / field.max(), 10 ** _FIELD_SPAN[0]))
    draw_map(axes, relative, 1, (height, width), title, span=_FIELD_SPAN, write=lambda e: f"$10^{{{e:.0f}}}$")
    mark(axes, node, LATENT_STRIDE, "")


def overview_figure(
    image: NDArray[np.uint8],
    graphs: BlockGraphs,
    *,
    draw_more: Callable[[Axes], None] | None = None,
    kind: str = "png",
) -> bytes:
    """Six panels: the image, the degrees of its nodes, one for the caller, and three neighbourhoods.

    Args:
        image: uint8 (H, W, 3) or (H, W), without padding.
        graphs: of a block that ran on the padded image.
        draw_more: fills the third panel; without it the panel is left out.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    height, width = image.shape[:2]
    rgb = image if image.ndim == 3 else np.dstack([image] * 3)
    degrees = graphs.crop(graphs.degree, height, width)
    nodes = example_nodes(degrees)
    with styled_figure(3 * _OVERVIEW_PANEL, 2 * (_OVERVIEW_PANEL * height / width + 0.45)) as figure:
        (first, second, third), neighbourhoods = figure.subplots(2, 3)
        draw_image(first, rgb, "An image and three of its nodes")
        draw_map(second, degrees, graphs.stride, (height, width), "Neighbours of every node")
        if draw_more is None:
            third.set_axis_off()
        else:
            draw_more(third)
            third.set_box_aspect(height / width)
            third.yaxis.tick_right()
            third.yaxis.set_label_position("right")
        for number, (axes, node) in enumerate(zip(neighbourhoods, nodes, strict=True), start=1):
            for above in (first, second):
                mark(above, node, graphs.stride, str(number))
            draw_neighbourhood(axes, rgb, graphs, node, str(number), title=f"Node {number}")
        return encode_figure(figure, kind)


def crop_figure(
    images: Mapping[str, tuple[NDArray[np.uint8], str]],
    corner: Pixel,
    side: int,
    *,
    columns: int | None = None,
    kind: str = "png",
) -> bytes:
    """The same crop of several images, enlarged side by side.

    Args:
        images: pixels, uint8 (H, W, 3) or (H, W), and a caption, by title; all of one size.
        corner: row and column of the crop's first pixel.
        side: of the crop, in pixels.
        columns: crops per row; all in one by default.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    row, column = corner
    columns = min(columns or len(images), len(images))
    rows = -(-len(images) // columns)
    with styled_figure(_CROP_PANEL * columns, (_CROP_PANEL + 0.6) * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False).flat
        for axes in panels[len(images) :]:
            axes.set_axis_off()
        for axes, (title, (pixels, caption)) in zip(panels, images.items(), strict=False):
            crop = pixels[row : row + side, column : column + side]
            axes.imshow(crop, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set_title(title)
            axes.set_axis_off()
            axes.text(0, -0.03, caption, transform=axes.transAxes, va="top", color="#555555", fontsize=8.5)
        return encode_figure(figure, kind)


def detailed_corner(original: NDArray[np.uint8], side: int) -> Pixel:
    """Row and column of the crop of the original with the strongest gradients, on a grid of half a side.

    A rule that looks at no reconstruction, so that the crop favours none.
    """
    grey = original.astype(np.float64) if original.ndim == 2 else original.mean(axis=2)
    edges = np.abs(np.diff(grey, axis=0))[:, :-1] + np.abs(np.diff(grey, axis=1))[:-1]
    height, width = grey.shape
    step = max(1, side // 2)
    corners = [
        (row, column)
        for row in range(0, max(1, height - side + 1), step)
        for column in range(0, max(1, width - side + 1), step)
    ]
    return max(corners, key=lambda at: float(edges[at[0] : at[0] + side, at[1] : at[1] + side].sum()))
