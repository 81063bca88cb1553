"""Collected graphs as PyG data."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data, HeteroData

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.exports.columns import edge_columns, node_columns
from glic_pyg.inspection.graph_arrays import GraphArrays

__all__ = ["as_data", "as_hetero_data"]

OF_A_MAP = ("complexity", "target_degree", "degree", "lonely")


def as_data(block: BlockGraphs, kind: str) -> Data:
    """One graph of a block.

    Returns:
        ``Data`` with ``edge_index`` (2, E) sorted by target; ``similarity`` (E,); ``attention`` (E, layers,
        heads) of the layers that attend along it, left out where none was kept; ``pos`` (nodes, 2) x and y in
        pixels; ``phantom``, ``complexity``, ``target_degree``, ``degree``, ``lonely`` (nodes,).
    """
    graph = block.graphs[kind]
    nodes = {name: _tensor(values) for name, values in node_columns(block, graph).items()}
    data = Data(
        edge_index=_edge_index(graph),
        pos=torch.stack([nodes["x"], nodes["y"]], 1),
        num_nodes=len(graph.positions),
        **{name: nodes[name] for name in ("phantom", *OF_A_MAP)},
        **_of_edges(block, graph),
    )
    data.kind, data.height, data.width, data.stride = kind, *graph.shape, block.stride
    return data


def as_hetero_data(block: BlockGraphs) -> HeteroData:
    """All graphs of a block over one set of nodes.

    Returns:
        ``HeteroData`` with the nodes of the map as ``"node"`` (``pos``, ``complexity``) and the places beside
        it that are read as ``"phantom"`` (``pos``). Each kind of graph has the edges
        ``("node", kind, "node")`` and ``("phantom", kind, "node")``
        with ``edge_index``, ``similarity`` and ``attention`` as in :func:`as_data`; and of each kind the
        nodes have ``<kind>_degree``, ``<kind>_target_degree`` and ``<kind>_lonely``.
    """
    graphs = block.graphs.values()
    beside = [graph.positions[graph.num_real :] for graph in graphs]
    phantoms, places = np.unique(np.concatenate(beside), axis=0, return_inverse=True)
    numbers = np.split(places.ravel(), np.cumsum([len(positions) for positions in beside])[:-1])
    data = HeteroData()
    for graph, number in zip(graphs, numbers, strict=True):
        nodes = {name: values[: graph.num_real] for name, values in node_columns(block, graph).items()}
        data["node"].pos = torch.from_numpy(np.stack([nodes["x"], nodes["y"]], 1))
        data["node"].complexity = _tensor(nodes["complexity"])
        for name in ("degree", "target_degree", "lonely"):
            data["node"][f"{graph.kind}_{name}"] = _tensor(nodes[name])
        _add_edges(data, block, graph, number)
    middles = (phantoms[:, ::-1].astype(np.float32) + 0.5) * block.stride - 0.5
    data["phantom"].pos = torch.from_numpy(middles)
    return data


def _add_edges(data: HeteroData, block: BlockGraphs, graph: GraphArrays, number: NDArray[np.int64]) -> None:
    """Edges of one kind, those from phantoms apart; ``number`` holds what each phantom is called now."""
    edges, columns = _edge_index(graph), _of_edges(block, graph)
    beside = edges[0] >= graph.num_real
    renumbered = torch.from_numpy(np.concatenate([np.arange(graph.num_real), number]))
    for origin, kept in (("node", ~beside), ("phantom", beside)):
        store = data[origin, graph.kind, "node"]
        store.edge_index = torch.stack([renumbered[edges[0, kept]], edges[1, kept]])
        for name, values in columns.items():
            store[name] = values[kept]


def _edge_index(graph: GraphArrays) -> Tensor:
    return torch.from_numpy(graph.edge_index.astype(np.int64))


def _of_edges(block: BlockGraphs, graph: GraphArrays) -> dict[str, Tensor]:
    found = {"similarity": _tensor(edge_columns(graph)["similarity"])}
    layers = [torch.from_numpy(layer.weights()) for layer in block.layers if layer.graph is graph]
    return found | ({"attention": torch.stack(layers, 1)} if layers else {})


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
