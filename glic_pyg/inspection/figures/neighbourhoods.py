"""The neighbours of chosen places in all blocks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from glic_pyg.inspection.figures.drawing import draw_neighbourhood
from glic_pyg.inspection.figures.grid import grid_figure
from glic_pyg.inspection.inspection import Inspection
from glic_pyg.inspection.telling_nodes import telling_nodes

__all__ = ["Pixel", "neighbourhood_figure", "telling_pixels"]

Pixel = tuple[int, int]
"""Row and column."""

_CAPTION = (
    "A mark is a node that the ringed node reads; its area is the attention that it gets, mean of layers and "
    "heads, beside the strongest of its graph. Above: how many there are, padding included."
)


def telling_pixels(inspection: Inspection) -> list[Pixel]:
    """The middles of three nodes with very many, usual and few neighbours in the last block of g_a."""
    block = [block for block in inspection.blocks if block.transform == "g_a"][-1]
    nodes = telling_nodes(block.crop(block.degree, *inspection.size))
    (bottom, right), middle = (length - 1 for length in inspection.size), block.stride // 2
    return [
        (min(row * block.stride + middle, bottom), min(column * block.stride + middle, right))
        for row, column in nodes
    ]


def neighbourhood_figure(inspection: Inspection, pixels: Sequence[Pixel], kind: str = "png") -> bytes:
    """A row a block, a column a place: the node at that place and the nodes it reads.

    Args:
        inspection: with blocks.
        pixels: rows and columns of the photo.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    rows = [
        [
            partial(
                draw_neighbourhood,
                rgb=inspection.photo,
                block=block,
                node=(row // block.stride, column // block.stride),
                label=str(number),
                title=f"{block.title}: node {number}",
            )
            for number, (row, column) in enumerate(pixels, start=1)
        ]
        for block in inspection.blocks
    ]
    return grid_figure(rows, inspection.size, kind, caption=_CAPTION)
