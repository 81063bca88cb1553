"""Cosine similarities of nodes: of the cells of a geometry, or of the ends of edges."""

from __future__ import annotations

import torch
from torch import Tensor

from glic_pyg.graph.cells import Cells

NORM_FLOOR = 1e-12
CELLS_AT_ONCE = {"cpu": 8}  # what 8 cells need stays in the cache
CELLS_AT_ONCE_ELSEWHERE = 1024
EDGES_AT_ONCE = 2**14


class NonFiniteMap(ValueError):
    """A feature map holds NaN or infinity, or squares that overflow: no graph can be built from it."""


def unit_features(nodes: Tensor) -> Tensor:
    """Rows of ``(N, C)`` scaled to length 1 (norms floored at 1e-12), then one phantom row of zeros.

    The rows are brought together in memory first, so that the result does not depend on the layout.

    Raises:
        NonFiniteMap: if a value is NaN or infinite, or a norm overflows.
    """
    rows = nodes.new_empty(nodes.shape[0] + 1, nodes.shape[1])
    real = rows[:-1].copy_(nodes)
    norms = torch.linalg.vector_norm(real, dim=-1, keepdim=True)
    refuse_unusable(norms)
    real /= norms.clamp_min_(NORM_FLOOR)
    rows[-1] = 0
    return rows


def refuse_unusable(norms: Tensor) -> None:
    """Raise :class:`NonFiniteMap` if a norm is NaN or infinite."""
    if not norms.isfinite().all():
        raise NonFiniteMap(
            f"the feature map holds NaN, infinity or values too large for {norms.dtype}: "
            "no graph can be built from it"
        )


def edge_similarity(x: Tensor, edge_index: Tensor) -> Tensor:
    """Cosine similarity of the two ends of each edge, ``(nodes, C), (2, E) -> (E,)``; 0 at zero rows."""
    unit = unit_features(x)
    parts = edge_index.split(EDGES_AT_ONCE, dim=1)
    return torch.cat([(unit[source] * unit[target]).sum(-1) for source, target in parts])


class CellSimilarities:
    """Similarities of a few cells at a time, in memory that is allocated once.

    Args:
        cells: geometry, on the device of the features.
        like: ``(N + 1, C)`` rows of :func:`unit_features`; tells dtype, device and width.

    Attributes:
        parts: the slices of cells to ask for, one after the other.
    """

    def __init__(self, cells: Cells, like: Tensor) -> None:
        count = len(cells.nodes)
        size = min(count, CELLS_AT_ONCE.get(like.device.type, CELLS_AT_ONCE_ELSEWHERE))
        self.parts = [slice(i, min(i + size, count)) for i in range(0, count, size)]
        self._index = cells.gather_nodes, cells.gather_candidates
        self._gathered = [like.new_empty(size, index.shape[1], like.shape[1]) for index in self._index]
        self._similarity = like.new_empty(size, *(index.shape[1] for index in self._index))

    def __call__(self, rows: Tensor, part: slice) -> Tensor:
        """``(cells, q, s)`` similarities of the cells ``part``; overwritten by the next call."""
        count = part.stop - part.start
        for index, gathered in zip(self._index, self._gathered, strict=True):
            torch.index_select(rows, 0, index[part].flatten(), out=gathered[:count].flatten(0, 1))
        nodes, candidates = (gathered[:count] for gathered in self._gathered)
        return torch.bmm(nodes, candidates.mT, out=self._similarity[:count])
