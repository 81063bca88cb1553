"""What a GFA block did with one image: its graphs, and the attention weights of its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.inspection.graphs import GraphArrays, Node, edges_of, notebook_view
from glic_pyg.nn import GFAConv

__all__ = ["BlockGraphs", "LayerAttention"]

ELEMENTS_AT_ONCE = 2**22  # of queries along edges: 16 MiB


@dataclass(frozen=True, eq=False)
class LayerAttention:
    """One attention layer on one graph; its weights are computed on demand.

    All weights would take edges x heads numbers a layer, so only the layer and its input are kept.

    Attributes:
        number: index of the layer in its block, from 0.
        graph: the graph that it attends along.
        conv: the layer.
        rows: (N, C), its input.
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
        """Attention weights of the edges into some nodes, in float32 whatever precision the model ran in.

        Args:
            nodes: rows and columns; None for all nodes of the map.

        Returns:
            (edges, heads): the edges of the first node in the order of ``graph.edges(node)``, then those of
            the second, and so on; of all nodes, in the order of ``graph.source``. Those of a node sum to 1.

        Raises:
            ValueError: a node is not on the map.
        """
        graph = self.graph
        chosen = (
            np.arange(graph.num_real) if nodes is None else np.array([*map(graph.index, nodes)], np.int64)
        )
        counts = np.diff(graph.colptr)[chosen]
        parts = _parts(counts, ELEMENTS_AT_ONCE // self.rows.shape[1])
        with torch.inference_mode(), torch.autocast(self.rows.device.type, enabled=False):
            rows = self.rows.float()
            padded = torch.cat([rows, rows.new_zeros(1, rows.shape[1])])
            padding = torch.arange(len(padded), device=rows.device) == graph.num_real
            queries, keys, _ = self.conv.heads_of(padded, padding)
            return np.concatenate([self._weights(chosen[part], queries, keys) for part in parts])

    def _weights(self, nodes: NDArray[np.int64], queries: Tensor, keys: Tensor) -> NDArray[np.float32]:
        """(edges, heads) of a few nodes, given (N + 1, heads, d) queries and keys."""
        graph, device = self.graph, queries.device
        counts = np.diff(graph.colptr)[nodes]
        edges = edges_of(graph.colptr, nodes)
        index = torch.from_numpy(np.repeat(np.arange(len(nodes)), counts)).to(device)
        source = np.minimum(graph.source[edges], graph.num_real)  # all padding nodes are one row of zeros
        query = queries[torch.from_numpy(nodes).to(device)][index]
        key = keys[torch.from_numpy(source).to(device)]
        bias = self.conv.position_bias(torch.from_numpy(graph.offset[edges].astype(np.int64)).to(device))
        weights: NDArray[np.float32] = self.conv.attention(query, key, bias, index, len(nodes)).cpu().numpy()
        return weights


def _parts(counts: NDArray[np.int64], edges_at_once: int) -> list[slice]:
    """Slices of nodes with about so many edges each; one empty slice where there are no nodes."""
    part = np.cumsum(counts) // max(1, edges_at_once)
    begins = np.flatnonzero(np.diff(part, prepend=-1)).tolist() or [0]
    return [slice(*ends) for ends in zip(begins, [*begins[1:], len(counts)], strict=True)]


@dataclass(frozen=True, eq=False)
class BlockGraphs:
    """The graphs of one GFA block and the layers that attended along them.

    Attributes:
        name: path of the block in the model, e.g. ``g_a.blocks.1``.
        stride: pixels per node of the map, along each axis.
        complexity: (h, w) float32, the score of every node that shares out the edge budget.
        features: (N, C), the input of the block, which the graphs were built from.
        graphs: by kind, in the order in which the layers alternate between them.
        layers: attention layers in the order of the block; those that were asked for.
    """

    name: str
    stride: int
    complexity: NDArray[np.float32]
    features: Tensor
    graphs: Mapping[str, GraphArrays]
    layers: Sequence[LayerAttention]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the map in nodes."""
        height, width = self.complexity.shape
        return height, width

    @property
    def transform(self) -> str:
        """The part of the model that holds the block: ``g_a``, ``g_s``, ..."""
        return self.name.split(".")[0]

    @property
    def stage(self) -> int:
        """0 at half the image's resolution, 1 at a quarter, 2 at an eighth (as in GLIC section 1)."""
        return self.stride.bit_length() - 2

    @property
    def title(self) -> str:
        """Readable name: ``g_a stage 1``; for a block outside g_a and g_s its path."""
        return f"{self.transform} stage {self.stage}" if self.transform in ("g_a", "g_s") else self.name

    @property
    def degree(self) -> NDArray[np.int64]:
        """(h, w), number of neighbours of every node in all graphs together."""
        return np.sum([graph.degree for graph in self.graphs.values()], axis=0)

    def attention(self, kind: str, node: Node) -> NDArray[np.float32]:
        """(n,) attention weights of a node's neighbours in one graph, averaged over layers and heads.

        In the order of ``graphs[kind].neighbours(node)``; uniform where no layer of this graph was kept.
        """
        graph = self.graphs[kind]
        heads = [layer.weights([node]) for layer in self.layers if layer.graph is graph]
        if not heads:
            count = int(graph.degree[node])
            return np.full(count, 1 / count, np.float32)
        mean: NDArray[np.float32] = np.concatenate(heads, axis=1).mean(axis=1)
        return mean

    @cached_property
    def mean_attention(self) -> Mapping[str, NDArray[np.float32]]:
        """(E,) attention weights of all edges by kind of graph, averaged over the layers and heads.

        A graph none of whose layers were kept is left out.
        """
        found = {}
        for kind, graph in self.graphs.items():
            layers = [layer.weights().mean(axis=1) for layer in self.layers if layer.graph is graph]
            if layers:
                found[kind] = np.mean(layers, axis=0)
        return found

    def crop(self, nodes: NDArray[Any], height: int, width: int) -> NDArray[Any]:
        """The part of an (h, w) map that covers an image of height x width pixels, without its padding."""
        return nodes[: -(-height // self.stride), : -(-width // self.stride)]

    def _repr_html_(self) -> str:
        """For notebooks: number of layers, maps of the complexity and of the degrees in each graph."""
        facts = {"pixels per node": str(self.stride), "attention layers": str(len(self.layers))}
        degrees = {f"{kind} degree": graph.degree for kind, graph in self.graphs.items()}
        return notebook_view(self.title, facts, {"complexity": self.complexity, **degrees})
