"""What a GFA block built and did with it while a model looked at one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.graph_arrays import GraphArrays, Node
from glic_pyg.inspection.layer_attention import LayerAttention
from glic_pyg.inspection.notebook_view import notebook_view

__all__ = ["BlockGraphs"]


@dataclass(frozen=True, eq=False)
class BlockGraphs:
    """The graphs of one block and the layers that attended along them.

    Attributes:
        name: path of the block in the model, e.g. ``g_a.blocks.1``.
        stride: pixels of the padded picture a node of the map, along each axis.
        complexity: (h, w) float32, the score of every node that shares out the budget.
        graphs: by kind, in the order in which the layers take turns with them.
        layers: of attention, in the order of the block; those that were asked for.
    """

    name: str
    stride: int
    complexity: NDArray[np.float32]
    graphs: Mapping[str, GraphArrays]
    layers: Sequence[LayerAttention]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the map in nodes."""
        height, width = self.complexity.shape
        return height, width

    @property
    def transform(self) -> str:
        """The part of the model that the block is in: ``g_a``, ``g_s``, ..."""
        return self.name.split(".")[0]

    @property
    def stage(self) -> int:
        """0 at half the picture's resolution, 1 at a quarter, 2 at an eighth (as in GLIC section 1)."""
        return self.stride.bit_length() - 2

    @property
    def title(self) -> str:
        """For people: ``g_a stage 1``; of a block elsewhere than in g_a and g_s its name."""
        return f"{self.transform} stage {self.stage}" if self.transform in ("g_a", "g_s") else self.name

    @property
    def degree(self) -> NDArray[np.int64]:
        """(h, w), neighbours of every node in all graphs together."""
        return np.sum([graph.degree for graph in self.graphs.values()], axis=0)

    def attention(self, kind: str, node: Node) -> NDArray[np.float32]:
        """(n,) what a node reads of each of its neighbours of a kind, the mean over layers and heads.

        In the order of ``graphs[kind].neighbours(node)``; equal shares where no layer of the kind was asked
        for.
        """
        graph = self.graphs[kind]
        heads = [layer.weights([node]) for layer in self.layers if layer.graph is graph]
        if not heads:
            count = int(graph.degree[node])
            return np.full(count, 1 / count, np.float32)
        mean: NDArray[np.float32] = np.concatenate(heads, axis=1).mean(axis=1)
        return mean

    def crop(self, nodes: NDArray[Any], height: int, width: int) -> NDArray[Any]:
        """The part of an (h, w) map that lies over a photo of height x width pixels, without its padding."""
        return nodes[: -(-height // self.stride), : -(-width // self.stride)]

    def _repr_html_(self) -> str:
        """For notebooks: its layers, and maps of complexity and of the degrees in each graph."""
        facts = {"pixels a node": str(self.stride), "layers of attention": str(len(self.layers))}
        degrees = {f"{kind} degree": graph.degree for kind, graph in self.graphs.items()}
        return notebook_view(self.title, facts, {"complexity": self.complexity, **degrees})
