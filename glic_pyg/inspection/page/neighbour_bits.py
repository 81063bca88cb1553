"""Who is whose neighbour, one bit a candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.graph_arrays import GraphArrays
from glic_pyg.inspection.page.kept_nodes import KeptNodes
from glic_pyg.inspection.page.streams import Streams

__all__ = ["NeighbourBits", "neighbour_bits"]

NOWHERE = -32768  # fills rows of an axis that has fewer lines


@dataclass(frozen=True, eq=False)
class NeighbourBits:
    """The neighbours of kept nodes, exactly, phantoms among them.

    All neighbours of the nodes of a row lie in a few rows of the map, those of the nodes of a column in a
    few columns; a node's neighbours are some of the crossings. So it is in windows, meshes and discs alike.

    Attributes:
        rows: (kept rows, a) int16, the rows that the nodes of a kept row read from, rising.
        columns: (kept columns, b) int16.
        bits: (nodes, ceil(a b / 8)) uint8; bit i of a node, the highest first, tells whether it reads from
            the crossing of line ``i // b`` of its rows and line ``i % b`` of its columns.
        order: (edges,) edges of the kept nodes, which ``LayerAttention.weights`` gives node by node, in the
            order of the bits.
    """

    rows: NDArray[np.int16]
    columns: NDArray[np.int16]
    bits: NDArray[np.uint8]
    order: NDArray[np.int64]

    def pack(self, streams: Streams) -> dict[str, Any]:
        """What the page needs to find the neighbours."""
        return {
            "lines": [self.rows.shape[1], self.columns.shape[1]],
            "rowLines": streams.add_array(self.rows),
            "columnLines": streams.add_array(self.columns),
            "bits": streams.add_array(self.bits),
        }


def neighbour_bits(graph: GraphArrays, kept: KeptNodes) -> NeighbourBits:
    """The neighbours of the kept nodes of a graph."""
    numbers = kept.numbers
    counts = np.diff(graph.first)[numbers]
    node = np.repeat(np.arange(len(numbers)), counts)
    edges = np.repeat(graph.first[numbers] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
    places = graph.positions[graph.source[edges]]
    kept_row, kept_column = np.divmod(node, len(kept.columns))
    rows, line = _lines(kept_row, places[:, 0], len(kept.rows))
    columns, column_line = _lines(kept_column, places[:, 1], len(kept.columns))
    crossing = line * columns.shape[1] + column_line
    bits = np.zeros((len(numbers), rows.shape[1] * columns.shape[1]), np.bool_)
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
