"""How much two graphs over the same nodes have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.graph_arrays import GraphArrays
from glic_pyg.inspection.inspection import Inspection

__all__ = ["Overlap", "overlap", "overlaps"]


@dataclass(frozen=True, eq=False)
class Overlap:
    """Edges of two graphs, node by node.

    Attributes:
        common: (h, w) int64, neighbours that a node has in both.
        either: (h, w) int64, neighbours that it has in one or in both.
    """

    common: NDArray[np.int64]
    either: NDArray[np.int64]

    @property
    def per_node(self) -> NDArray[np.float64]:
        """(h, w), Jaccard index of the two neighbourhoods of every node, 0 to 1."""
        return self.common / np.maximum(self.either, 1)

    @property
    def jaccard(self) -> float:
        """Of all edges: how many are in both graphs, as a share of those in one or in both."""
        return float(self.common.sum() / max(1, self.either.sum()))


def overlap(one: GraphArrays, other: GraphArrays) -> Overlap:
    """Compare two graphs of a kind, e.g. of two models, two pictures, two precisions.

    Raises:
        ValueError: they are of two kinds, or over maps of two sizes.
    """
    if one.kind != other.kind or one.shape != other.shape:
        raise ValueError(
            f"a {one.kind} graph over {one.shape} nodes and a {other.kind} graph over {other.shape} nodes "
            "have no edges to compare: take two of one kind and one size"
        )
    nodes = len(one.positions)
    ours, theirs = (graph.target.astype(np.int64) * nodes + graph.source for graph in (one, other))
    shared = np.intersect1d(ours, theirs, assume_unique=True) // nodes
    common = np.bincount(shared, minlength=one.num_real).reshape(one.shape)
    return Overlap(common, one.degree + other.degree - common)


def overlaps(one: Inspection, other: Inspection) -> dict[tuple[str, str], Overlap]:
    """All graphs that two inspections share, by the title of the block and the kind of the graph.

    Raises:
        ValueError: the two are of pictures that are padded to two sizes, so that no graphs compare.
    """
    others = {block.name: block for block in other.blocks}
    return {
        (block.title, kind): overlap(graph, others[block.name].graphs[kind])
        for block in one.blocks
        if block.name in others
        for kind, graph in block.graphs.items()
        if kind in others[block.name].graphs
    }
