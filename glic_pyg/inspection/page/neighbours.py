"""The neighbours of some nodes, or the nodes that attend to them, in few bytes: one bit per candidate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.graphs import edges_of

__all__ = ["KeptNodes", "NeighbourBits", "neighbour_bits"]

NOWHERE = -32768  # fills rows of an axis that has fewer lines


@dataclass(frozen=True)
class KeptNodes:
    """The nodes whose neighbours a page holds: one per square of ``pitch`` x ``pitch`` pixels of the image.

    Where a node is larger than such a square, all nodes are kept; nodes over the padding are not.

    Attributes:
        rows, columns: of the map, rising; a node is kept if it lies in one of each.
        width: of the whole map, in nodes.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    width: int

    @classmethod
    def of(cls, block: BlockGraphs, size: tuple[int, int], pitch: int) -> KeptNodes:
        """The kept nodes of a block over an image of (H, W) pixels."""
        step = max(1, pitch // block.stride)
        rows, columns = (-(-length // block.stride) for length in size)
        return cls(_every(step, rows), _every(step, columns), block.shape[1])

    @property
    def indices(self) -> NDArray[np.int64]:
        """(n,) indices of the nodes in the whole map, row-major."""
        return (self.rows[:, None] * self.width + self.columns).ravel()

    @property
    def nodes(self) -> list[tuple[int, int]]:
        """(n) rows and columns of the nodes, in the same order."""
        return [(int(row), int(column)) for row in self.rows for column in self.columns]


def _every(step: int, length: int) -> NDArray[np.int64]:
    """Every ``step``-th index from the middle of the first step on, at least one."""
    return np.arange(min(step // 2, length - 1), length, step)


@dataclass(frozen=True, eq=False)
class NeighbourBits:
    """The other ends of the edges of kept nodes, exactly, padding nodes among them.

    All neighbours of the nodes of a row lie in a few rows of the map, those of the nodes of a column in a
    few columns; a node's neighbours are some of the crossings. So it is in windows, meshes and discs, for
    the nodes that a node attends to and for those that attend to it.

    Attributes:
        rows: (kept rows, a) int16, the rows of the neighbours of a kept row, rising.
        columns: (kept columns, b) int16.
        bits: (nodes, ceil(a b / 8)) uint8; bit i of a node, the highest first, is set if it has a neighbour
            at the crossing of line ``i // b`` of its rows and line ``i % b`` of its columns.
        order: (edges,) the edges of the kept nodes, counted node by node as :func:`edges_of` gives them, in
            the order of the bits.
    """

    rows: NDArray[np.int16]
    columns: NDArray[np.int16]
    bits: NDArray[np.uint8]
    order: NDArray[np.int64]


def neighbour_bits(
    kept: KeptNodes, ptr: NDArray[np.int64], ends: NDArray[np.int32], positions: NDArray[np.int32]
) -> NeighbourBits:
    """Pack the other ends of the edges of kept nodes.

    Args:
        kept: the nodes.
        ptr: (nodes + 1,), the edges of node i are ``ptr[i]`` to ``ptr[i + 1]``.
        ends: (E,), the node at the other end of every edge.
        positions: (nodes, 2), row and column of every node.
    """
    indices = kept.indices
    node = np.repeat(np.arange(len(indices)), ptr[indices + 1] - ptr[indices])
    places = positions[ends[edges_of(ptr, indices)]]
    kept_row, kept_column = np.divmod(node, len(kept.columns))
    rows, line = _lines(kept_row, places[:, 0], len(kept.rows))
    columns, column_line = _lines(kept_column, places[:, 1], len(kept.columns))
    crossing = line * columns.shape[1] + column_line
    bits = np.zeros((len(indices), rows.shape[1] * columns.shape[1]), np.bool_)
    bits[node, crossing] = True
    return NeighbourBits(rows, columns, np.packbits(bits, axis=1), np.lexsort((crossing, node)))


def _lines(
    group: NDArray[np.int64], value: NDArray[np.int32], groups: int
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """The distinct values of every group (groups, most), and which of them each value (n,) is."""
    span = int(np.ptp(value)) + 1 if len(value) else 1
    lowest = int(value.min()) if len(value) else 0
    pairs, which = np.unique(group * span + (value - lowest), return_inverse=True)
    group_of, distinct = pairs // span, pairs % span + lowest
    counts = np.bincount(group_of, minlength=groups)
    rank = np.arange(len(pairs)) - np.repeat(np.cumsum(counts) - counts, counts)
    lines = np.full((groups, counts.max(initial=1)), NOWHERE, np.int16)
    lines[group_of, rank] = distinct
    return lines, rank[which]
