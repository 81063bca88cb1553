"""From a feature map to its two graphs: candidates, degrees, threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from glic_pyg.graph.cells import Cells, local_cells, mesh_cells
from glic_pyg.graph.complexity import Detector, Pooling, complexity_map
from glic_pyg.graph.degree import MEAN_DEGREE, Scope, target_degrees, whole_degrees
from glic_pyg.graph.similarity import CellSimilarities, unit_features
from glic_pyg.graph.threshold import Method, select
from glic_pyg.graph.window_graph import WindowGraph

Kind = Literal["local", "mesh"]
_CELLS = {"local": local_cells, "mesh": mesh_cells}


@dataclass(frozen=True)
class GraphBuilder:
    """Settings of graph construction; the defaults are the released model's (GLIC sections 3 to 5).

    Attributes:
        detector, pooling: the complexity score.
        mean_degree: budget per node.
        scope: share the budget per ``"cell"`` (released) or per ``"image"`` (paper's wording).
        method: ``"bisection"`` (released, meets the budget roughly) or ``"exact"`` (to the edge).
        kinds: the graphs to build, in the order in which layers take turns with them; one of the two alone
            is an ablation of the paper.

    Raises:
        ValueError: there is no such kind, or none at all.
    """

    detector: Detector = "sobel"
    pooling: Pooling = "rms"
    mean_degree: float = MEAN_DEGREE
    scope: Scope = "cell"
    method: Method = "bisection"
    kinds: Sequence[Kind] = ("local", "mesh")

    def __post_init__(self) -> None:
        if not self.kinds or not set(self.kinds) <= set(_CELLS):
            raise ValueError(f"a graph is one of {[*_CELLS]}, not {self.kinds!r}")

    @torch.no_grad()
    def __call__(self, x: Tensor) -> dict[str, WindowGraph]:
        """Build a graph of each kind, ``{"local", "mesh"}``, from a ``(B, C, H, W)`` map of any size.

        Half-precision maps are built in float32. The result depends on the map only: not on its
        memory layout, not on the thread count, not on the other maps of the batch. (A lowered
        ``torch.set_float32_matmul_precision`` is obeyed, and moves edges of float32 maps.)

        Raises:
            ValueError: if ``x`` is not such a map, or is not finite, or a setting is unknown.
        """
        with torch.autocast(x.device.type, enabled=False):
            x = x if x.dtype == torch.float64 else x.float()
            complexity = complexity_map(x, self.detector, self.pooling)
            features = [unit_features(rows) for rows in x.permute(0, 2, 3, 1).flatten(1, 2)]
            shapes = [_CELLS[kind](*x.shape[2:]) for kind in self.kinds]
            return {c.kind: self._connect(features, complexity, c.to(x.device)) for c in shapes}

    def _connect(self, features: list[Tensor], complexity: Tensor, cells: Cells) -> WindowGraph:
        degrees = self._degrees(complexity, cells)
        mask = torch.empty(*degrees.shape, cells.candidates.shape[1], dtype=torch.bool, device=degrees.device)
        similarities = CellSimilarities(cells, features[0])
        for rows, degree, out in zip(features, degrees, mask, strict=True):
            for part in similarities.parts:
                out[part] = select(similarities(rows, part), degree[part], self.method)
        if not cells.tiled:
            mask &= cells.real[:, :, None]
        return WindowGraph(cells, mask, degrees)

    def _degrees(self, complexity: Tensor, cells: Cells) -> Tensor:
        degrees = target_degrees(complexity, cells, mean_degree=self.mean_degree, scope=self.scope)
        if self.method != "exact":
            return degrees
        limit = cells.real * cells.candidates.shape[1]
        return whole_degrees(degrees, limit, mean_degree=self.mean_degree, scope=self.scope)


def build_graphs(feature_map: Tensor, **settings: object) -> dict[str, WindowGraph]:
    """The local and the mesh graph of a ``(B, C, H, W)`` feature map; see :class:`GraphBuilder`."""
    return GraphBuilder(**settings)(feature_map)  # type: ignore[arg-type]
