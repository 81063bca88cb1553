"""A window graph of one map as plain arrays: degrees, neighbours, nodes worth a look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glic_pyg.graph import WindowGraph

__all__ = ["degree_map", "neighbours", "telling_nodes"]

Node = tuple[int, int]


def degree_map(graph: WindowGraph) -> NDArray[np.float64]:
    """Number of neighbours of every node, (height, width); phantoms count, see ``graph.attention_rows``."""
    _, _, mask = graph.attention_rows
    cells = graph.cells
    counts = np.zeros(cells.num_real)
    counts[cells.nodes[cells.real].cpu().numpy()] = mask.sum(-1)[cells.real].double().cpu().numpy()
    return counts.reshape(cells.height, cells.width)


def neighbours(graph: WindowGraph, node: Node) -> NDArray[np.int64]:
    """Row and column of every real neighbour of a node, (n, 2).

    Args:
        graph: of one map.
        node: row and column.
    """
    cells, (_, _, mask) = graph.cells, graph.attention_rows
    cell, slot = (cells.nodes == node[0] * cells.width + node[1]).nonzero()[0].tolist()
    sources = cells.candidates[cell][mask[cell, slot]]
    return cells.positions[sources[sources < cells.num_real]].cpu().numpy()


def telling_nodes(degrees: NDArray[np.float64], *, margin: float = 0.1, apart: float = 0.25) -> list[Node]:
    """Three nodes: one with very many neighbours, one with a usual number, one with few.

    Those with the 99.5th percentile of the degree, the median and the 2nd percentile, nearest to it.

    Args:
        degrees: (height, width).
        margin: share of the map's sides that is left out all around.
        apart: distance between the nodes, as a share of the map's shorter side; on maps too small for it
            the nodes may be nearer.
    """
    height, width = degrees.shape
    rows, columns = np.mgrid[0:height, 0:width]
    inside = _between(rows, height, margin) & _between(columns, width, margin)
    chosen: list[Node] = []
    for percentile in (99.5, 50.0, 2.0):
        wanted = np.percentile(degrees[inside], percentile)
        free = inside.copy()
        for row, column in chosen:
            free &= np.hypot(rows - row, columns - column) >= apart * min(height, width)
        distance = np.where(free if free.any() else inside, np.abs(degrees - wanted), np.inf)
        place = np.unravel_index(int(distance.argmin()), distance.shape)
        chosen.append((int(place[0]), int(place[1])))
    return chosen


def _between(index: NDArray[np.int64], length: int, margin: float) -> NDArray[np.bool_]:
    border = min(int(margin * length), (length - 1) // 2)
    inside: NDArray[np.bool_] = (index >= border) & (index < length - border)
    return inside
