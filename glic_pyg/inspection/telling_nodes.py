"""Nodes worth a look."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.graph_arrays import Node

__all__ = ["telling_nodes"]


def telling_nodes(degrees: NDArray[Any], *, margin: float = 0.1, apart: float = 0.25) -> list[Node]:
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
