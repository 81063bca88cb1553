"""One graph of a feature map as NumPy arrays: who attends to whom, in compact types."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch_geometric.data import Data

from glic_pyg.graph import WindowGraph
from glic_pyg.graph.similarity import CellSimilarities, edge_similarity, unit_features
from glic_pyg.plotting import map_colours, percentile_limits

__all__ = ["GraphArrays", "Node", "edges_of", "graph_arrays", "notebook_view"]

Node = tuple[int, int]
"""Row and column on a map."""

NODES_AT_ONCE = 2**14


@dataclass(frozen=True, eq=False)
class GraphArrays:
    """A directed graph over a map of h x w nodes, its E edges sorted by target, then source (CSC).

    Node ``(row, column)`` has the index ``row * w + column``, below N = h * w. Indices from N on are padding
    nodes: positions beside the map with zero features, which have outgoing edges only. A node that no
    candidate was similar enough to reads all of them, though it asked for fewer: it counts as isolated.

    Attributes:
        kind: ``"local"`` or ``"mesh"``; ``"union"`` or ``"radius"`` in ablations.
        shape: (h, w).
        positions: (nodes, 2) int32, row and column of every node, those of padding nodes beside the map.
        colptr: (N + 1,) int64; the edges into node i are ``colptr[i]`` to ``colptr[i + 1]``.
        source: (E,) int32, the neighbour that an edge starts at.
        offset: (E, 2) int8, rows and columns on the cell's lattice: the index of the position bias.
        similarity: (E,) float16, cosine similarity of both ends in the block's input; 0 with a padding node.
        target_degree: (h, w) float32, the degree that complexity asked for; of a union the sum of its two
            graphs', some of whose edges coincide.
        isolated: (h, w) bool, nodes that no candidate was similar enough to; False everywhere in a graph that
            was given as an edge list.
    """

    kind: str
    shape: tuple[int, int]
    positions: NDArray[np.int32]
    colptr: NDArray[np.int64]
    source: NDArray[np.int32]
    offset: NDArray[np.int8]
    similarity: NDArray[np.float16]
    target_degree: NDArray[np.float32]
    isolated: NDArray[np.bool_]

    @property
    def num_real(self) -> int:
        """N, the number of nodes on the map."""
        return self.shape[0] * self.shape[1]

    @property
    def degree(self) -> NDArray[np.int64]:
        """(h, w), number of edges into every node, those from padding nodes included."""
        degrees: NDArray[np.int64] = np.diff(self.colptr).reshape(self.shape)
        return degrees

    @property
    def out_degree(self) -> NDArray[np.int64]:
        """(h, w), number of nodes that attend to every node, itself among them."""
        counts = np.bincount(self.source, minlength=self.num_real)[: self.num_real]
        degrees: NDArray[np.int64] = counts.reshape(self.shape)
        return degrees

    @property
    def target(self) -> NDArray[np.int32]:
        """(E,), the node that an edge ends at."""
        return np.repeat(np.arange(self.num_real, dtype=np.int32), np.diff(self.colptr))

    @cached_property
    def by_source(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The edges sorted by source (CSR): (nodes + 1,) pointers, and (E,) indices into ``source``."""
        counts = np.bincount(self.source, minlength=len(self.positions))
        order = np.argsort(self.source, kind="stable").astype(np.int32)
        return np.concatenate([[0], np.cumsum(counts)]), order

    @property
    def edge_index(self) -> NDArray[np.int32]:
        """(2, E), sources above targets, as in PyG."""
        return np.stack([self.source, self.target])

    def index(self, node: Node) -> int:
        """The index of the node at a row and column.

        Raises:
            ValueError: it is not on the map.
        """
        row, column = node
        if not (0 <= row < self.shape[0] and 0 <= column < self.shape[1]):
            raise ValueError(f"node {node} is not on a map of {self.shape[0]} x {self.shape[1]} nodes")
        return row * self.shape[1] + column

    def edges(self, node: Node) -> slice:
        """The slice of ``source``, ``offset`` and ``similarity`` that holds the edges into a node."""
        index = self.index(node)
        return slice(int(self.colptr[index]), int(self.colptr[index + 1]))

    def neighbours(self, node: Node) -> NDArray[np.int32]:
        """(n, 2), rows and columns of a node's neighbours in the order of its edges."""
        return self.positions[self.source[self.edges(node)]]

    def _repr_html_(self) -> str:
        """For notebooks: number of nodes and edges, maps of the target degree and of the degree."""
        facts = {"nodes": f"{self.num_real:,}", "edges": f"{len(self.source):,}"}
        maps: dict[str, NDArray[Any]] = {"target degree": self.target_degree, "degree": self.degree}
        return notebook_view(f"{self.kind} graph", facts, maps)


def edges_of(ptr: NDArray[np.int64], nodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the edges of some nodes, node by node, where node i has ``ptr[i]`` to ``ptr[i + 1]``."""
    counts = ptr[nodes + 1] - ptr[nodes]
    edges: NDArray[np.int64] = np.arange(counts.sum())
    return edges + np.repeat(ptr[nodes] - (np.cumsum(counts) - counts), counts)


def graph_arrays(graph: WindowGraph | Data, features: Tensor) -> GraphArrays:
    """The arrays of a window graph, or of a graph given as an edge list (union, radius).

    Args:
        graph: over one map.
        features: (1, C, h, w), the map it was built from.

    Raises:
        ValueError: the batch has more than one map.
    """
    if len(features) != 1:
        raise ValueError(f"arrays are made of the graph of one map, not of {len(features)}")
    rows = features.detach().float().permute(0, 2, 3, 1).flatten(0, 2)
    return _from_edge_list(graph, rows) if isinstance(graph, Data) else _from_windows(graph, rows)


def _from_windows(graph: WindowGraph, rows: Tensor) -> GraphArrays:
    cells, lattice = graph.cells, graph.cells.lattice_offsets().to(torch.int8)
    slot, order = cells.slots, cells.candidates.argsort(1)
    cell, place = slot // cells.nodes.shape[1], slot % cells.nodes.shape[1]
    mask, similarities = graph.mask[0].flatten(0, 1), _candidate_similarities(graph, rows)
    degrees, asked = mask.sum(1)[slot], graph.target_degree[0].flatten()[slot]
    columns: list[tuple[NDArray[Any], ...]] = []
    for nodes in torch.arange(cells.num_real, device=slot.device).split(NODES_AT_ONCE):
        by_source = order[cell[nodes]]
        node, rank = mask[slot[nodes]].gather(1, by_source).nonzero(as_tuple=True)
        node, candidate = nodes[node], by_source[node, rank]
        columns.append(
            (
                _numpy(cells.candidates[cell[node], candidate], np.int32),
                _numpy(lattice[place[node], candidate], np.int8),
                _numpy(similarities[slot[node], candidate], np.float16),
            )
        )
    source, offset, similarity = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    shape = (cells.height, cells.width)
    return GraphArrays(
        kind=cells.kind,
        shape=shape,
        positions=_numpy(cells.positions[: graph.num_nodes], np.int32),
        colptr=_pointers(degrees),
        source=source,
        offset=offset,
        similarity=similarity,
        target_degree=_numpy(asked, np.float32).reshape(shape),
        isolated=_numpy((degrees == mask.shape[1]) & (asked < mask.shape[1]), np.bool_).reshape(shape),
    )


def _candidate_similarities(graph: WindowGraph, rows: Tensor) -> Tensor:
    """(G * q, s) float16, cosine similarity of every slot to each of its candidates."""
    unit = unit_features(rows)
    in_cells = CellSimilarities(graph.cells, unit)
    found = torch.empty(graph.mask.shape[1:], dtype=torch.float16, device=rows.device)
    for part in in_cells.parts:
        found[part] = in_cells(unit, part).to(torch.float16)
    return found.flatten(0, 1)


def _from_edge_list(data: Data, rows: Tensor) -> GraphArrays:
    shape, nodes = (data.height, data.width), rows.new_zeros(data.num_nodes, rows.shape[1])
    nodes[: len(rows)] = rows
    asked = data.target_degree[: len(rows)].reshape(len(rows), -1).sum(1)
    return GraphArrays(
        kind=data.kind,
        shape=shape,
        positions=_numpy(data.pos.flip(-1), np.int32),
        colptr=_pointers(data.degree[: len(rows)]),
        source=_numpy(data.edge_index[0], np.int32),
        offset=_numpy(data.edge_attr, np.int8),
        similarity=_numpy(edge_similarity(nodes, data.edge_index), np.float16),
        target_degree=_numpy(asked, np.float32).reshape(shape),
        isolated=np.zeros(shape, np.bool_),
    )


def _pointers(degrees: Tensor) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(_numpy(degrees, np.int64))])


def _numpy(values: Tensor, dtype: type[np.generic]) -> NDArray[Any]:
    return values.detach().cpu().numpy().astype(dtype)


def notebook_view(title: str, facts: Mapping[str, str], maps: Mapping[str, NDArray[Any]]) -> str:
    """HTML of a title, a line of facts, and maps as images with their colour limits in words."""
    line = " · ".join(f"{escape(value)} {escape(name)}" for name, value in facts.items())
    images = "".join(_map_element(name, values) for name, values in maps.items())
    row = f"<div style='display:flex;gap:1em'>{images}</div>"
    return f"<div><strong>{escape(title)}</strong><br>{line}{row}</div>"


def _map_element(name: str, values: NDArray[Any]) -> str:
    out, (low, high) = io.BytesIO(), percentile_limits(values)
    Image.fromarray(np.uint8(map_colours(values) * 255)).save(out, "PNG")
    data = base64.b64encode(out.getvalue()).decode()
    caption = f"{escape(name)}: {low:.3g} (dark) to {high:.3g} (bright)"
    return (
        f"<figure style='margin:.5em 0'><img src='data:image/png;base64,{data}' alt='{caption}' "
        f"style='width:220px;image-rendering:pixelated'><figcaption>{caption}</figcaption></figure>"
    )
