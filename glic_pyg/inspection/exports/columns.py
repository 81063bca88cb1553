"""What every export says of nodes and of edges, under the same names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.block_graphs import BlockGraphs
from glic_pyg.inspection.graph_arrays import GraphArrays

__all__ = ["attention_of", "edge_columns", "node_columns"]


def node_columns(block: BlockGraphs, graph: GraphArrays) -> dict[str, NDArray[Any]]:
    """Columns of all nodes, phantoms last, with 0 in what phantoms do not have.

    ``row``, ``column`` on the map; ``x``, ``y`` middle in pixels of the photo; ``phantom``; ``lonely``;
    ``complexity``; ``target_degree``; ``degree``.
    """
    rows, columns = graph.positions.T
    of_map = {
        "lonely": graph.lonely,
        "complexity": block.complexity,
        "target_degree": graph.target_degree,
        "degree": graph.degree,
    }
    phantoms = len(rows) - graph.num_real
    return {
        "row": rows,
        "column": columns,
        "x": (columns + np.float32(0.5)) * block.stride - np.float32(0.5),
        "y": (rows + np.float32(0.5)) * block.stride - np.float32(0.5),
        "phantom": np.arange(len(rows)) >= graph.num_real,
        **{name: np.pad(values.ravel(), (0, phantoms)) for name, values in of_map.items()},
    }


def edge_columns(graph: GraphArrays) -> dict[str, NDArray[Any]]:
    """Columns of all edges, sorted by target: ``source``, ``target``, ``similarity``."""
    return {
        "source": graph.source,
        "target": graph.target,
        "similarity": graph.similarity.astype(np.float32),
    }


def attention_of(block: BlockGraphs, graph: GraphArrays) -> Mapping[str, NDArray[np.float32]]:
    """(edges,) weights by ``attention_<layer>_<head>``, of the layers that attend along this graph."""
    return {
        f"attention_{layer.number}_{head}": weights[:, head]
        for layer in block.layers
        if layer.graph is graph
        for weights in [layer.weights()]
        for head in range(layer.heads)
    }
