"""From a feature map to its two graphs: candidates, degrees, threshold."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from glic_pyg.graph.cells import Cells, local_cells, mesh_cells
from glic_pyg.graph.complexity import Detector, Pooling, complexity_map
from glic_pyg.graph.degree import MEAN_DEGREE, Scope, target_degrees
from glic_pyg.graph.threshold import bisect, unit_features
from glic_pyg.graph.window_graph import WindowGraph

CELLS_AT_ONCE = 16


@dataclass(frozen=True)
class GraphBuilder:
    """Settings of graph construction; the defaults are the released model's (GLIC sections 3 to 5).

    Attributes:
        detector, pooling: the complexity score.
        mean_degree: budget per node.
        scope: share the budget per ``"cell"`` (released) or per ``"image"`` (paper's wording).
    """

    detector: Detector = "sobel"
    pooling: Pooling = "rms"
    mean_degree: float = MEAN_DEGREE
    scope: Scope = "cell"

    @torch.no_grad()
    def __call__(self, x: Tensor) -> dict[str, WindowGraph]:
        """Build ``{"local", "mesh"}`` from a ``(B, C, H, W)`` map of any size.

        Half-precision maps are built in float32. The result depends on the map only: not on the
        thread count, not on the other maps of the batch.
        """
        with torch.autocast(x.device.type, enabled=False):
            x = x if x.dtype == torch.float64 else x.float()
            complexity = complexity_map(x, self.detector, self.pooling)
            features = [unit_features(rows) for rows in x.permute(0, 2, 3, 1).flatten(1, 2)]
            shapes = (local_cells(*x.shape[2:]), mesh_cells(*x.shape[2:]))
            return {c.kind: self._connect(features, complexity, c.to(x.device)) for c in shapes}

    def _connect(self, features: list[Tensor], complexity: Tensor, cells: Cells) -> WindowGraph:
        degrees = target_degrees(complexity, cells, mean_degree=self.mean_degree, scope=self.scope)
        mask = torch.empty(*degrees.shape, cells.candidates.shape[1], dtype=torch.bool, device=degrees.device)
        for rows, degree, out in zip(features, degrees, mask, strict=True):
            for block in _blocks(cells.nodes.shape[0]):
                nodes, candidates = rows[cells.gather_nodes[block]], rows[cells.gather_candidates[block]]
                out[block] = bisect(nodes @ candidates.mT, degree[block])
        mask &= cells.real[:, :, None]
        return WindowGraph(cells, mask, degrees)


def build_graphs(feature_map: Tensor, **settings: object) -> dict[str, WindowGraph]:
    """The local and the mesh graph of a ``(B, C, H, W)`` feature map; see :class:`GraphBuilder`."""
    return GraphBuilder(**settings)(feature_map)  # type: ignore[arg-type]


def _blocks(count: int) -> list[slice]:
    return [slice(i, min(i + CELLS_AT_ONCE, count)) for i in range(0, count, CELLS_AT_ONCE)]
