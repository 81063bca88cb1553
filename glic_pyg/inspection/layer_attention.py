"""Attention weights of a layer, computed for the nodes that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.inspection.graph_arrays import GraphArrays, Node
from glic_pyg.nn import GFAConv

__all__ = ["LayerAttention"]

ELEMENTS_AT_ONCE = 2**22  # of queries along edges: 16 MiB


@dataclass(frozen=True, eq=False)
class LayerAttention:
    """One layer of attention on one graph.

    The weights of all edges would be as many as the graph's edges times the heads, for every layer; kept is
    what they are made of.

    Attributes:
        number: of the layer in its block, from 0.
        graph: that it attends along.
        conv: the layer.
        rows: (N, C), what the layer read.
    """

    number: int
    graph: GraphArrays
    conv: GFAConv
    rows: Tensor

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return self.conv.heads

    def weights(self, nodes: Sequence[Node] | None = None) -> NDArray[np.float32]:
        """How much the nodes read of each of their neighbours, float32 whatever the model ran in.

        Args:
            nodes: rows and columns; None stands for all nodes of the map.

        Returns:
            (edges, heads): the edges of the first node in the order of ``graph.edges(node)``, then those of
            the second, and so on; of all nodes, in the order of ``graph.source``. Those of a node sum to 1.

        Raises:
            ValueError: a node is not on the map.
        """
        graph = self.graph
        chosen = (
            np.arange(graph.num_real) if nodes is None else np.array([*map(graph.number, nodes)], np.int64)
        )
        counts = np.diff(graph.first)[chosen]
        parts = _parts(counts, ELEMENTS_AT_ONCE // self.rows.shape[1])
        with torch.inference_mode(), torch.autocast(self.rows.device.type, enabled=False):
            heads = _Heads(self)
            return np.concatenate([heads.weights(chosen[part]) for part in parts])


class _Heads:
    """Queries and keys of a layer's nodes."""

    def __init__(self, layer: LayerAttention) -> None:
        graph, rows = layer.graph, layer.rows.float()
        self._graph, self._conv = graph, layer.conv
        padded = torch.cat([rows, rows.new_zeros(1, rows.shape[1])])
        phantom = torch.arange(len(padded), device=rows.device) == graph.num_real
        self._queries, self._keys, _ = layer.conv.heads_of(padded, phantom)

    def weights(self, nodes: NDArray[np.int64]) -> NDArray[np.float32]:
        """(edges, heads) of some nodes."""
        graph, device = self._graph, self._queries.device
        counts = np.diff(graph.first)[nodes]
        edges = np.repeat(graph.first[nodes] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        index = torch.from_numpy(np.repeat(np.arange(len(nodes)), counts)).to(device)
        source = np.minimum(graph.source[edges], graph.num_real)  # all phantoms are one row of zeros
        query = self._queries[torch.from_numpy(nodes).to(device)][index]
        key = self._keys[torch.from_numpy(source).to(device)]
        bias = self._conv.position_bias(torch.from_numpy(graph.offset[edges].astype(np.int64)).to(device))
        weights: NDArray[np.float32] = self._conv.attention(query, key, bias, index, len(nodes)).cpu().numpy()
        return weights


def _parts(counts: NDArray[np.int64], edges_at_once: int) -> list[slice]:
    """Slices of nodes with about so many edges each, one slice of no nodes where there are none."""
    part = np.cumsum(counts) // max(1, edges_at_once)
    begins = np.flatnonzero(np.diff(part, prepend=-1)).tolist() or [0]
    return [slice(*ends) for ends in zip(begins, [*begins[1:], len(counts)], strict=True)]
