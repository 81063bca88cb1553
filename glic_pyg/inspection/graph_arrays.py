"""One graph of one map as plain arrays: who is whose neighbour, in compact types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from glic_pyg.graph import WindowGraph
from glic_pyg.graph.similarity import CellSimilarities, edge_similarity, unit_features
from glic_pyg.inspection.notebook_view import notebook_view

__all__ = ["GraphArrays", "graph_arrays"]

Node = tuple[int, int]


@dataclass(frozen=True, eq=False)
class GraphArrays:
    """A graph over a map of h x w nodes, its E edges sorted by target.

    Node ``(row, column)`` of the map is number ``row * w + column``, below N = h * w. Numbers from N on are
    phantoms: places beside the map that can be read (as zeros) and read nobody. The edges are those that
    attention runs along: a node whose threshold nobody passed reads all its candidates and is ``lonely``.

    Attributes:
        kind: ``"local"`` or ``"mesh"``; ``"union"`` or ``"radius"`` in ablations.
        shape: (h, w).
        positions: (nodes, 2) int32, row and column of every node, those of phantoms beside the map.
        first: (N + 1,) int64; the edges into node i are ``first[i]`` to ``first[i + 1]``, see :meth:`edges`.
        source: (E,) int32, the neighbour at the other end.
        offset: (E, 2) int8, rows and columns on the cell's lattice, which the position bias reads.
        similarity: (E,) float16, cosine of both ends in the block's input; 0 with a phantom.
        target_degree: (h, w) float32, the share of the budget that complexity gave to a node; of a union
            the sum of its two graphs', some of whose edges coincide.
        lonely: (h, w) bool; False everywhere in a graph that came as a list of edges.
    """

    kind: str
    shape: tuple[int, int]
    positions: NDArray[np.int32]
    first: NDArray[np.int64]
    source: NDArray[np.int32]
    offset: NDArray[np.int8]
    similarity: NDArray[np.float16]
    target_degree: NDArray[np.float32]
    lonely: NDArray[np.bool_]

    @property
    def num_real(self) -> int:
        """N, the nodes on the map."""
        return self.shape[0] * self.shape[1]

    @property
    def degree(self) -> NDArray[np.int64]:
        """(h, w), neighbours of every node, phantoms among them: the degree that was met."""
        degrees: NDArray[np.int64] = np.diff(self.first).reshape(self.shape)
        return degrees

    @property
    def target(self) -> NDArray[np.int32]:
        """(E,), the node that an edge ends at."""
        return np.repeat(np.arange(self.num_real, dtype=np.int32), np.diff(self.first))

    @property
    def edge_index(self) -> NDArray[np.int32]:
        """(2, E), sources above targets, as PyG has it."""
        return np.stack([self.source, self.target])

    def number(self, node: Node) -> int:
        """The number of a row and column.

        Raises:
            ValueError: it is not on the map.
        """
        row, column = node
        if not (0 <= row < self.shape[0] and 0 <= column < self.shape[1]):
            raise ValueError(f"node {node} is not on a map of {self.shape[0]} x {self.shape[1]} nodes")
        return row * self.shape[1] + column

    def edges(self, node: Node) -> slice:
        """Where in ``source``, ``offset`` and ``similarity`` the edges into a node are."""
        number = self.number(node)
        return slice(int(self.first[number]), int(self.first[number + 1]))

    def neighbours(self, node: Node) -> NDArray[np.int32]:
        """(n, 2), row and column of a node's neighbours in the order of its edges, phantoms among them."""
        return self.positions[self.source[self.edges(node)]]

    def _repr_html_(self) -> str:
        """For notebooks: its size, and maps of target and met degree."""
        facts = {"nodes": f"{self.num_real:,}", "edges": f"{len(self.source):,}"}
        maps: dict[str, NDArray[Any]] = {"target degree": self.target_degree, "degree": self.degree}
        return notebook_view(f"{self.kind} graph", facts, maps)


def graph_arrays(graph: WindowGraph | Data, features: Tensor) -> GraphArrays:
    """The arrays of a window graph, or of a graph given as a list of edges (union, radius).

    Args:
        graph: over one map.
        features: (1, C, h, w), the map it was built from.

    Raises:
        ValueError: there are more maps than one.
    """
    if len(features) != 1:
        raise ValueError(f"arrays are made of the graph of one map, not of {len(features)}")
    rows = features.detach().float().permute(0, 2, 3, 1).flatten(0, 2)
    return _of_edge_list(graph, rows) if isinstance(graph, Data) else _of_windows(graph, rows)


def _of_windows(graph: WindowGraph, rows: Tensor) -> GraphArrays:
    cells, order = graph.cells, _Order(graph)
    columns = zip(*_edges_by_cell(graph, rows), strict=True)
    source, offset, similarity = (np.concatenate(column)[order.edges] for column in columns)
    return GraphArrays(
        kind=cells.kind,
        shape=(cells.height, cells.width),
        positions=_numpy(cells.positions, np.int32),
        first=order.first,
        source=source,
        offset=offset,
        similarity=similarity,
        target_degree=order.per_node(graph.degrees[0]).astype(np.float32),
        lonely=order.per_node(graph.mask[0].sum(-1)) == 0,
    )


def _of_edge_list(data: Data, rows: Tensor) -> GraphArrays:
    shape, nodes = (data.height, data.width), rows.new_zeros(data.num_nodes, rows.shape[1])
    nodes[: len(rows)] = rows
    counts = torch.bincount(data.edge_index[1], minlength=len(rows))[: len(rows)]
    degrees = data.degree[: len(rows)].reshape(len(rows), -1).sum(1)
    return GraphArrays(
        kind=data.kind,
        shape=shape,
        positions=_numpy(data.pos, np.int32),
        first=np.concatenate([[0], np.cumsum(counts.cpu().numpy())]),
        source=_numpy(data.edge_index[0], np.int32),
        offset=_numpy(data.edge_attr, np.int8),
        similarity=_numpy(edge_similarity(nodes, data.edge_index), np.float16),
        target_degree=_numpy(degrees, np.float32).reshape(shape),
        lonely=np.zeros(shape, np.bool_),
    )


class _Order:
    """From the order of the cells' slots to that of the nodes."""

    def __init__(self, graph: WindowGraph) -> None:
        self._cells = graph.cells
        _, _, mask = graph.attention_rows
        counts = mask.sum(-1).cpu().numpy()
        degrees = self.per_node(mask.sum(-1)).ravel()
        self.first = np.concatenate([[0], np.cumsum(degrees)]).astype(np.int64)
        self.edges = self._edges(counts[_numpy(self._cells.real, np.bool_)])

    def _edges(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """(E,), for every edge of the result its place among the edges cell by cell."""
        nodes = _numpy(self._cells.nodes, np.int64)[_numpy(self._cells.real, np.bool_)]
        begins = np.cumsum(counts) - counts
        shift = np.empty_like(begins)
        shift[nodes] = begins
        places = np.arange(self.first[-1], dtype=np.int64)
        places += np.repeat(shift - self.first[:-1], np.diff(self.first))
        return places

    def per_node(self, values: Tensor) -> NDArray[Any]:
        """(G, q) values of the slots as an (h, w) map."""
        cells, of_slots = self._cells, values.detach().cpu().numpy()
        real = _numpy(cells.real, np.bool_)
        out = np.zeros(cells.num_real, of_slots.dtype)
        out[_numpy(cells.nodes, np.int64)[real]] = of_slots[real]
        return out.reshape(cells.height, cells.width)


def _edges_by_cell(graph: WindowGraph, rows: Tensor) -> list[tuple[NDArray[Any], ...]]:
    """Sources, offsets and similarities of some cells at a time, slot by slot."""
    cells, (_, _, mask), unit = graph.cells, graph.attention_rows, unit_features(rows)
    similarities, lattice = CellSimilarities(cells, unit), cells.lattice_offsets().to(torch.int8)
    found: list[tuple[NDArray[Any], ...]] = []
    for part in similarities.parts:
        kept = mask[part] & cells.real[part][..., None]
        cell, node, candidate = kept.nonzero(as_tuple=True)
        similarity = similarities(unit, part)[kept]
        found.append(
            (
                _numpy(cells.candidates[part][cell, candidate], np.int32),
                _numpy(lattice[node, candidate], np.int8),
                _numpy(similarity, np.float16),
            )
        )
    return found


def _numpy(values: Tensor, dtype: type[np.generic]) -> NDArray[Any]:
    return values.detach().cpu().numpy().astype(dtype)
