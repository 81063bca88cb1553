"""A graph in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.graph_arrays import GraphArrays
from glic_pyg.inspection.inspection import Inspection

__all__ = ["LONG", "GraphNumbers", "edge_lengths", "graph_numbers", "rank_correlation"]

LONG = 16
"""An edge of more nodes than this is long: no local window of 16 x 16 could hold it."""


@dataclass(frozen=True, eq=False)
class GraphNumbers:
    """What can be counted in one graph of one block.

    Attributes:
        block, kind: of what.
        nodes, edges: how many; phantoms are no nodes here.
        degree_histogram: (d,) int64, how many nodes have 0, 1, 2, ... neighbours.
        length_histogram: (n,) int64, how many edges are 0 to 1, 1 to 2, ... nodes long; those to phantoms are
            left out, here and in what follows.
        mean_length: in nodes.
        long_share: of edges longer than :data:`LONG` nodes.
        phantom_share: of edges that lead to a phantom.
        lonely: nodes that no candidate was similar enough to.
        target_degree, degree: their means over the nodes.
        budget_error: mean of |degree - target| / target over the nodes.
        bits_correlation, error_correlation: of a node's degree with the bits and with the error around it,
            by ranks (Spearman); NaN where one of the two is the same everywhere.
    """

    block: str
    kind: str
    nodes: int
    edges: int
    degree_histogram: NDArray[np.int64]
    length_histogram: NDArray[np.int64]
    mean_length: float
    long_share: float
    phantom_share: float
    lonely: int
    target_degree: float
    degree: float
    budget_error: float
    bits_correlation: float
    error_correlation: float

    @property
    def budget_met(self) -> float:
        """Neighbours there are over neighbours that were budgeted for."""
        return self.degree / self.target_degree


def graph_numbers(inspection: Inspection) -> list[GraphNumbers]:
    """The numbers of every graph of every block, in their order."""
    return [
        _numbers(inspection, block, graph) for block in inspection.blocks for graph in block.graphs.values()
    ]


def edge_lengths(graph: GraphArrays) -> NDArray[np.float32]:
    """Lengths of the edges between nodes on the map, in nodes, in the order of the edges."""
    real = graph.source < graph.num_real
    ends = graph.positions[graph.source[real]] - graph.positions[graph.target[real]]
    lengths: NDArray[np.float32] = np.hypot(*ends.T.astype(np.float32))
    return lengths


def rank_correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Spearman's correlation of two maps of one shape, equal values sharing their mean rank."""
    deviations = [ranks - ranks.mean() for ranks in (_ranks(one), _ranks(other))]
    spread = np.sqrt(np.prod([np.square(values).sum() for values in deviations]))
    return float(np.prod(deviations, axis=0).sum() / spread) if spread else float("nan")


def _numbers(inspection: Inspection, block: BlockGraphs, graph: GraphArrays) -> GraphNumbers:
    lengths, degree, target = edge_lengths(graph), graph.degree, graph.target_degree
    seen = _whole_nodes(degree, inspection, block.stride)
    around = (_means(values, block.stride) for values in (inspection.bit_map, inspection.error_map))
    bits_correlation, error_correlation = (rank_correlation(seen, values) for values in around)
    return GraphNumbers(
        block=block.title,
        kind=graph.kind,
        nodes=graph.num_real,
        edges=len(graph.source),
        degree_histogram=np.bincount(degree.ravel()),
        length_histogram=np.bincount(lengths.astype(np.int64)),
        mean_length=float(lengths.mean(dtype=np.float64)),
        long_share=float((lengths > LONG).mean()),
        phantom_share=1 - len(lengths) / len(graph.source),
        lonely=int(graph.lonely.sum()),
        target_degree=float(target.mean(dtype=np.float64)),
        degree=float(degree.mean()),
        budget_error=float((np.abs(degree - target) / target).mean(dtype=np.float64)),
        bits_correlation=bits_correlation,
        error_correlation=error_correlation,
    )


def _whole_nodes(nodes: NDArray[np.int64], inspection: Inspection, stride: int) -> NDArray[np.int64]:
    """The part of a map whose nodes lie over the photo with all their pixels."""
    height, width = inspection.size
    return nodes[: height // stride, : width // stride]


def _means(pixels: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """(H, W) -> (H // side, W // side), means of squares of pixels."""
    height, width = (length // side for length in pixels.shape)
    squares = pixels[: height * side, : width * side].reshape(height, side, width, side)
    means: NDArray[np.float32] = squares.mean(axis=(1, 3))
    return means


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[place.ravel()]
    return ranks
