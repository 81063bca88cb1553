"""Statistics of one graph, edges that two graphs share, and nodes worth showing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.graphs import GraphArrays, Node
from glic_pyg.inspection.inspect import Inspection

__all__ = [
    "LONG",
    "GraphStats",
    "Overlap",
    "edge_lengths",
    "example_nodes",
    "graph_stats",
    "overlap",
    "overlaps",
    "rank_correlation",
]

LONG = 16
"""An edge of more nodes than this is long: no local window of 16 x 16 nodes could hold it."""


@dataclass(frozen=True, eq=False)
class GraphStats:
    """Statistics of one graph of one block.

    Attributes:
        block: title of the block.
        kind: of the graph.
        nodes, edges: how many; nodes are those on the map, edges include those from padding nodes.
        degree_histogram: (d,) int64, how many nodes have 0, 1, 2, ... neighbours.
        length_histogram: (n,) int64, how many edges are 0 to 1, 1 to 2, ... nodes long; edges from padding
            nodes are left out, here and in what follows.
        mean_length: in nodes.
        long_share: share of the edges that are longer than :data:`LONG` nodes.
        padding_share: share of the edges that come from a padding node.
        isolated: nodes that no candidate was similar enough to.
        out_degree_histogram: (d,) int64, how many nodes 0, 1, 2, ... nodes attend to, themselves included.
        reciprocity: share of the edges between two different nodes on the map whose reverse is an edge too.
        components: number of weakly connected components of the map's nodes.
        target_degree, degree: means over the nodes.
        budget_error: mean of |degree - target| / target over the nodes.
        bits_correlation, error_correlation: rank correlation (Spearman) of a node's degree with the bits and
            with the squared error under it; NaN where one of the two is constant.
    """

    block: str
    kind: str
    nodes: int
    edges: int
    degree_histogram: NDArray[np.int64]
    length_histogram: NDArray[np.int64]
    mean_length: float
    long_share: float
    padding_share: float
    isolated: int
    out_degree_histogram: NDArray[np.int64]
    reciprocity: float
    components: int
    target_degree: float
    degree: float
    budget_error: float
    bits_correlation: float
    error_correlation: float

    @property
    def budget_met(self) -> float:
        """Mean degree over mean target degree."""
        return self.degree / self.target_degree

    def out_degree_quantile(self, share: float) -> int:
        """The least out-degree that at least this share of the nodes does not exceed."""
        cumulative = np.cumsum(self.out_degree_histogram)
        return int(np.searchsorted(cumulative, share * cumulative[-1]))


def graph_stats(inspection: Inspection) -> list[GraphStats]:
    """Statistics of every graph of every block, in their order."""
    return [
        _stats(inspection, block, graph) for block in inspection.blocks for graph in block.graphs.values()
    ]


def edge_lengths(graph: GraphArrays) -> NDArray[np.float32]:
    """Lengths in nodes of the edges between nodes on the map, in the order of the edges."""
    real = graph.source < graph.num_real
    ends = graph.positions[graph.source[real]] - graph.positions[graph.target[real]]
    lengths: NDArray[np.float32] = np.hypot(*ends.T.astype(np.float32))
    return lengths


def rank_correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Spearman's correlation of two maps of one shape; NaN where one of them is constant."""
    from scipy.stats import spearmanr

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one.ravel(), other.ravel()).statistic)


def _stats(inspection: Inspection, block: BlockGraphs, graph: GraphArrays) -> GraphStats:
    lengths, degree, target = edge_lengths(graph), graph.degree, graph.target_degree
    height, width = (length // block.stride for length in inspection.size)
    seen = degree[:height, :width]  # nodes whose pixels all lie on the image
    under = (_means(values, block.stride) for values in (inspection.bit_map, inspection.error_map))
    bits_correlation, error_correlation = (rank_correlation(seen, values) for values in under)
    reciprocity, components = _connectivity(graph)
    return GraphStats(
        block=block.title,
        kind=graph.kind,
        nodes=graph.num_real,
        edges=len(graph.source),
        degree_histogram=np.bincount(degree.ravel()),
        length_histogram=np.bincount(lengths.astype(np.int64)),
        mean_length=float(lengths.mean(dtype=np.float64)),
        long_share=float((lengths > LONG).mean()),
        padding_share=1 - len(lengths) / len(graph.source),
        isolated=int(graph.isolated.sum()),
        out_degree_histogram=np.bincount(graph.out_degree.ravel()),
        reciprocity=reciprocity,
        components=components,
        target_degree=float(target.mean(dtype=np.float64)),
        degree=float(degree.mean()),
        budget_error=float((np.abs(degree - target) / target).mean(dtype=np.float64)),
        bits_correlation=bits_correlation,
        error_correlation=error_correlation,
    )


def _connectivity(graph: GraphArrays) -> tuple[float, int]:
    """Reciprocity and number of weakly connected components, among the nodes on the map."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    target, source = graph.target, graph.source
    kept = (source < graph.num_real) & (source != target)
    ends = (target[kept], source[kept])
    adjacency = csr_array((np.ones(len(ends[0]), np.int8), ends), (graph.num_real, graph.num_real))
    mutual = adjacency.multiply(adjacency.T).nnz
    components = connected_components(adjacency, directed=True, connection="weak", return_labels=False)
    return mutual / max(1, adjacency.nnz), int(components)


def _means(pixels: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """(H, W) to (H // side, W // side), means of squares of pixels."""
    height, width = (length // side for length in pixels.shape)
    squares = pixels[: height * side, : width * side].reshape(height, side, width, side)
    means: NDArray[np.float32] = squares.mean(axis=(1, 3))
    return means


@dataclass(frozen=True, eq=False)
class Overlap:
    """Edges that two graphs over the same nodes share, node by node.

    Attributes:
        common: (h, w) int64, neighbours that a node has in both graphs.
        either: (h, w) int64, neighbours that it has in at least one.
    """

    common: NDArray[np.int64]
    either: NDArray[np.int64]

    @property
    def per_node(self) -> NDArray[np.float64]:
        """(h, w), Jaccard index of the two neighbourhoods of every node, 0 to 1."""
        return self.common / np.maximum(self.either, 1)

    @property
    def jaccard(self) -> float:
        """Jaccard index of all edges: those in both graphs over those in at least one."""
        return float(self.common.sum() / max(1, self.either.sum()))


def overlap(one: GraphArrays, other: GraphArrays) -> Overlap:
    """Compare two graphs of one kind, e.g. of two models, two images or two precisions.

    Raises:
        ValueError: they are of different kinds, or over maps of different sizes.
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
    """Overlaps of all graphs that two inspections share, by title of the block and kind of graph.

    Raises:
        ValueError: the images are padded to different sizes, so that their graphs do not compare.
    """
    others = {block.name: block for block in other.blocks}
    return {
        (block.title, kind): overlap(graph, others[block.name].graphs[kind])
        for block in one.blocks
        if block.name in others
        for kind, graph in block.graphs.items()
        if kind in others[block.name].graphs
    }


def example_nodes(degrees: NDArray[Any], *, margin: float = 0.1, apart: float = 0.25) -> list[Node]:
    """Three nodes of high, median and low degree: nearest to the 99.5th, 50th and 2nd percentile.

    Args:
        degrees: (height, width).
        margin: share of the map's sides that is left out all around.
        apart: least distance between the nodes, as a share of the map's shorter side; on maps too small for
            it the nodes may be closer.
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
        best = np.unravel_index(int(distance.argmin()), distance.shape)
        chosen.append((int(best[0]), int(best[1])))
    return chosen


def _between(index: NDArray[np.int64], length: int, margin: float) -> NDArray[np.bool_]:
    border = min(int(margin * length), (length - 1) // 2)
    inside: NDArray[np.bool_] = (index >= border) & (index < length - border)
    return inside
