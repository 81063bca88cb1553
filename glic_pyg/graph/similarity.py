r"""Cosine similarities between nodes: of the cells of a geometry, or of the ends of edges.

Reproducible graphs (``exact_...``) are the same on every machine, bit by bit. A sum of floating-point numbers
depends on the order of its terms, and that order on the processor, the library and the number of threads.
Multiples of one power of two have no such freedom as long as every sum fits the 53 bits of a float64. So
features, complexity scores and unit features are rounded to lattices before they are summed; the operations
between (square root, division, comparison) are rounded correctly by IEEE 754, one value at a time.

This is our own addition, for graphs that an entropy model builds: there the decoder must find the encoder's
edges, while a similarity that is off by its last bit could move one (:mod:`glic_pyg.models.context`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from glic_pyg.graph.cells import Cells

NORM_FLOOR = 1e-12
CELLS_AT_ONCE = {"cpu": 8}  # what 8 cells need stays in the cache
CELLS_AT_ONCE_ELSEWHERE = 1024
EDGES_AT_ONCE = 2**14
FEATURE_STEP = 2.0**-8  # the lattice of decoded latents
LARGEST_FEATURE = 2.0**12  # squares of 2^13 channels then sum within 2^53 steps of 2^-16
UNIT_STEP = 2.0**-20  # products are multiples of 2^-40, at most 1


class NonFiniteMap(ValueError):
    """A feature map holds NaN or infinity, or squares that overflow: no graph can be built from it."""


def unit_features(nodes: Tensor) -> Tensor:
    """Scale ``(N, C)`` rows to length 1 (norms floored at 1e-12) and append the zeros of padding nodes.

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


def exact_features(x: Tensor) -> Tensor:
    """Round a feature map to multiples of 1/256 up to 4096, in float64; decoded latents are unchanged.

    Raises:
        NonFiniteMap: if a value is NaN or infinite.
    """
    x = on_lattice(x.double(), FEATURE_STEP)
    refuse_unusable(x)
    return x.clamp_(-LARGEST_FEATURE, LARGEST_FEATURE)


def exact_unit_features(nodes: Tensor) -> Tensor:
    """Scale ``(N, C)`` rows of :func:`exact_features` to length 1, in steps of 2^-20; then a row of zeros."""
    norms = nodes.square().sum(-1, keepdim=True).sqrt_()
    unit = on_lattice(nodes / norms.clamp_min_(NORM_FLOOR), UNIT_STEP)
    return torch.cat([unit, unit.new_zeros(1, unit.shape[1])])


def on_lattice(values: Tensor, step: float) -> Tensor:
    """Round to the nearest multiples of a power of two, ties to even."""
    return (values / step).round_().mul_(step)


def edge_similarity(x: Tensor, edge_index: Tensor) -> Tensor:
    """Cosine similarity of the two ends of each edge, ``(nodes, C), (2, E) -> (E,)``; 0 at zero rows."""
    unit = unit_features(x)
    parts = edge_index.split(EDGES_AT_ONCE, dim=1)
    return torch.cat([(unit[source] * unit[target]).sum(-1) for source, target in parts])


class CellSimilarities:
    """Cosine similarities of a few cells at a time, in memory that is allocated once.

    Args:
        cells: geometry, on the device of the features.
        like: ``(N + 1, C)`` rows of :func:`unit_features`, for dtype, device and width.

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
