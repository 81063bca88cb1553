"""Graphs of an inspection as PyG data, as NetworkX graphs, and as named columns of nodes and edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data, HeteroData

from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.graphs import GraphArrays

if TYPE_CHECKING:
    import networkx

__all__ = ["as_data", "as_hetero_data", "as_networkx", "attention_columns", "edge_columns", "node_columns"]

Columns = dict[str, NDArray[Any]]

OF_A_MAP = ("complexity", "target_degree", "degree", "isolated")


def node_columns(block: BlockGraphs, graph: GraphArrays) -> Columns:
    """Columns of all nodes, padding nodes last, with 0 in what padding nodes do not have.

    ``row``, ``column`` on the map; ``pos_x``, ``pos_y`` of the centre in pixels of the image; ``padding``;
    ``isolated``; ``complexity``; ``target_degree``; ``degree``.
    """
    rows, columns = graph.positions.T
    of_map = {
        "isolated": graph.isolated,
        "complexity": block.complexity,
        "target_degree": graph.target_degree,
        "degree": graph.degree,
    }
    padding = len(rows) - graph.num_real
    return {
        "row": rows,
        "column": columns,
        "pos_x": (columns + np.float32(0.5)) * block.stride - np.float32(0.5),
        "pos_y": (rows + np.float32(0.5)) * block.stride - np.float32(0.5),
        "padding": np.arange(len(rows)) >= graph.num_real,
        **{name: np.pad(values.ravel(), (0, padding)) for name, values in of_map.items()},
    }


def edge_columns(graph: GraphArrays) -> Columns:
    """Columns of all edges, sorted by target.

    ``source``, ``target``; ``offset_row``, ``offset_column`` on the cell's lattice; ``similarity``.
    """
    return {
        "source": graph.source,
        "target": graph.target,
        "offset_row": graph.offset[:, 0],
        "offset_column": graph.offset[:, 1],
        "similarity": graph.similarity.astype(np.float32),
    }


def attention_columns(block: BlockGraphs, graph: GraphArrays) -> Columns:
    """(E,) weights by ``attention_<layer>_<head>``, of the layers that attend along this graph."""
    return {
        f"attention_{layer.number}_{head}": weights[:, head]
        for layer in block.layers
        if layer.graph is graph
        for weights in [layer.weights()]
        for head in range(layer.heads)
    }


def as_data(block: BlockGraphs, kind: str) -> Data:
    """One graph of a block as PyG data, with all that a layer needs to run on it.

    Returns:
        ``Data`` with ``x`` (nodes, C) the input of the block, 0 at padding nodes; ``edge_index`` (2, E)
        sorted by target; ``edge_attr`` (E, 2) int64 lattice offsets, for :class:`~glic_pyg.nn.GFAConv` (most
        other layers want ``edge_attr.float()``); ``similarity`` (E,); ``attention`` (E, layers, heads) of the
        layers that attend along it, left out where none was kept; ``pos`` (nodes, 2) x and y in pixels;
        ``padding``, ``complexity``, ``target_degree``, ``degree``, ``isolated`` (nodes,).
    """
    graph = block.graphs[kind]
    nodes = {name: _tensor(values) for name, values in node_columns(block, graph).items()}
    data = Data(
        x=_features(block, len(graph.positions) - graph.num_real),
        edge_index=_edge_index(graph),
        pos=torch.stack([nodes["pos_x"], nodes["pos_y"]], 1),
        num_nodes=len(graph.positions),
        **{name: nodes[name] for name in ("padding", *OF_A_MAP)},
        **_edge_tensors(block, graph),
    )
    data.kind, data.height, data.width, data.stride = kind, *graph.shape, block.stride
    return data


def as_hetero_data(block: BlockGraphs) -> HeteroData:
    """All graphs of a block over one set of nodes as PyG data.

    Returns:
        ``HeteroData`` with the nodes of the map as ``"node"`` (``x``, ``pos``, ``complexity``) and the
        padding nodes of all graphs as ``"padding"`` (``x``, ``pos``). Each kind of graph has the edge types
        ``("node", kind, "node")`` and ``("padding", kind, "node")`` with ``edge_index``, ``edge_attr``,
        ``similarity`` and ``attention`` as in :func:`as_data`; and for each kind the nodes have
        ``<kind>_degree``, ``<kind>_target_degree`` and ``<kind>_isolated``.
    """
    graphs = block.graphs.values()
    beside = [graph.positions[graph.num_real :] for graph in graphs]
    padding, inverse = np.unique(np.concatenate(beside), axis=0, return_inverse=True)
    indices = np.split(inverse.ravel(), np.cumsum([len(positions) for positions in beside])[:-1])
    data = HeteroData()
    data["node"].x = _features(block)
    data["padding"].x = torch.zeros(len(padding), block.features.shape[1])
    for graph, index in zip(graphs, indices, strict=True):
        nodes = {name: values[: graph.num_real] for name, values in node_columns(block, graph).items()}
        data["node"].pos = torch.from_numpy(np.stack([nodes["pos_x"], nodes["pos_y"]], 1))
        data["node"].complexity = _tensor(nodes["complexity"])
        for name in ("degree", "target_degree", "isolated"):
            data["node"][f"{graph.kind}_{name}"] = _tensor(nodes[name])
        _add_edges(data, block, graph, index)
    centres = (padding[:, ::-1].astype(np.float32) + 0.5) * block.stride - 0.5
    data["padding"].pos = torch.from_numpy(centres)
    return data


def as_networkx(block: BlockGraphs, kind: str) -> networkx.DiGraph:
    """One graph of a block for NetworkX, edges pointing from a neighbour to the node that attends to it.

    Nodes have the attributes of :func:`node_columns`, edges those of :func:`edge_columns` and
    ``attention_<layer>_<head>``, all of Python's own types. An edge takes about 1 KB of memory: for large
    maps use :func:`as_data` or arrays.
    """
    from torch_geometric.utils import to_networkx

    graph = block.graphs[kind]
    nodes, edges = node_columns(block, graph), edge_columns(graph) | attention_columns(block, graph)
    del edges["source"], edges["target"]
    columns = {name: values.tolist() for name, values in (nodes | edges).items()}
    data = Data(edge_index=_edge_index(graph), num_nodes=len(graph.positions), **columns)
    data.block, data.kind, data.stride = block.name, kind, block.stride
    return to_networkx(data, [*nodes], [*edges], graph_attrs=["block", "kind", "stride"])


def _add_edges(data: HeteroData, block: BlockGraphs, graph: GraphArrays, index: NDArray[np.int64]) -> None:
    """Add the edges of one graph, those from padding nodes apart; ``index`` renumbers these."""
    edges, columns = _edge_index(graph), _edge_tensors(block, graph)
    beside = edges[0] >= graph.num_real
    renumbered = torch.from_numpy(np.concatenate([np.arange(graph.num_real), index]))
    for origin, kept in (("node", ~beside), ("padding", beside)):
        store = data[origin, graph.kind, "node"]
        store.edge_index = torch.stack([renumbered[edges[0, kept]], edges[1, kept]])
        for name, values in columns.items():
            store[name] = values[kept]


def _edge_index(graph: GraphArrays) -> Tensor:
    return torch.from_numpy(graph.edge_index.astype(np.int64))


def _features(block: BlockGraphs, padding: int = 0) -> Tensor:
    """The features of the map's nodes, then zeros for some padding nodes."""
    return torch.nn.functional.pad(block.features.float().cpu(), (0, 0, 0, padding)).contiguous()


def _edge_tensors(block: BlockGraphs, graph: GraphArrays) -> dict[str, Tensor]:
    found = {
        "edge_attr": torch.from_numpy(graph.offset.astype(np.int64)),
        "similarity": torch.from_numpy(graph.similarity.astype(np.float32)),
    }
    layers = [torch.from_numpy(layer.weights()) for layer in block.layers if layer.graph is graph]
    return found | ({"attention": torch.stack(layers, 1)} if layers else {})


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
