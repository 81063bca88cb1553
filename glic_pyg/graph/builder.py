"""Builders of the graphs of a feature map, and the builder that settings describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor
from torch_geometric.data import Data

from glic_pyg.graph.cells import Cells, local_cells, mesh_cells
from glic_pyg.graph.complexity import Detector, Pooling, check_map, complexity_map
from glic_pyg.graph.degree import (
    MEAN_DEGREE,
    Scope,
    check_scores,
    exact_scores,
    flatten_towards_mean,
    share_budget,
    whole_degrees,
)
from glic_pyg.graph.radius import RadiusGraphBuilder
from glic_pyg.graph.similarity import CellSimilarities, exact_features, exact_unit_features, unit_features
from glic_pyg.graph.threshold import Method, select
from glic_pyg.graph.union import union_data
from glic_pyg.graph.window_graph import WindowGraph
from glic_pyg.progress import steps

Kind = Literal["local", "mesh"]
_CELLS = {"local": local_cells, "mesh": mesh_cells}
_REPRODUCIBLE = ("sobel", "none")


@dataclass(frozen=True)
class GraphBuilder:
    """Settings of graph construction; the defaults are the released model's (GLIC sections 3 to 5).

    Attributes:
        detector, pooling: the complexity score; with the detector ``"learned"`` the caller gives the scores
            (:class:`glic_pyg.nn.LearnedComplexity`).
        mean_degree: budget per node.
        scope: share the budget per ``"cell"`` (released) or per ``"image"`` (paper's wording).
        method: ``"bisection"`` (released) or ``"exact"``. Bisection meets the budget roughly, and gives most
            edges where a map is flat, since there hardly a threshold tells candidates apart (139 % of the
            budget on a sample image); exact meets it to the edge, and is the one to use in new models.
        kinds: the graphs to build, in the order in which layers take turns with them; one of the two alone
            is an ablation of the paper.
        padding: let nodes choose zeros outside the map too, as the released model does (38 % of the edges of
            a local graph over 13x21 nodes, 96 % over 1x64); without, all edges are between nodes of the map.
        reproducible: build the same edges on every machine (:mod:`glic_pyg.graph.similarity`), in float64.

    Raises:
        ValueError: there is no such kind, or none at all; or the detector has no reproducible form.
    """

    detector: Detector | Literal["learned"] = "sobel"
    pooling: Pooling = "rms"
    mean_degree: float = MEAN_DEGREE
    scope: Scope = "cell"
    method: Method = "bisection"
    kinds: Sequence[Kind] = ("local", "mesh")
    padding: bool = True
    reproducible: bool = False

    def __post_init__(self) -> None:
        if not self.kinds or not set(self.kinds) <= set(_CELLS):
            raise ValueError(f"a graph is one of {[*_CELLS]}, not {self.kinds!r}")
        if self.reproducible and self.detector not in _REPRODUCIBLE:
            raise ValueError(
                f"the detector {self.detector!r} does not give the same bits on every machine: "
                f"use one of {[*_REPRODUCIBLE]} for a reproducible graph"
            )

    def __call__(self, x: Tensor, complexity: Tensor | None = None) -> dict[str, WindowGraph]:
        """Build a graph of each kind, ``{"local", "mesh"}``, from a ``(B, C, H, W)`` map of any size.

        Half-precision and integer maps are built in float32. The result depends on the map only: not on its
        memory layout, not on the thread count, not on the other maps of the batch. (A lowered
        ``torch.set_float32_matmul_precision`` is obeyed, and moves edges of float32 maps.)

        Args:
            x: the map; no gradient reaches it.
            complexity: ``(B, H, W)`` scores above 0 to use instead of the detector's; their gradient flows
                into the graphs' ``degrees``.

        Raises:
            NonFiniteMap: ``x`` or its complexity is not finite (the latter overflows from 1e18 in float32).
            ValueError: ``x`` is not such a map, the scores do not fit it, or a setting is unknown.
        """
        check_map(x)
        with torch.autocast(x.device.type, enabled=False):
            x = exact_features(x) if self.reproducible else x if x.dtype == torch.float64 else x.float()
            scores = self._scores(x, complexity)
            unit = exact_unit_features if self.reproducible else unit_features
            with torch.no_grad():
                features = [unit(rows) for rows in x.permute(0, 2, 3, 1).flatten(1, 2)]
            shapes = [_CELLS[kind](*x.shape[2:]) for kind in self.kinds]
            return {c.kind: self._connect(features, scores, c.to(x.device)) for c in steps(shapes)}

    def _scores(self, x: Tensor, complexity: Tensor | None) -> Tensor:
        """Scores ``(B, H, W)`` that share out the budget."""
        if complexity is None and self.detector == "learned":
            raise ValueError("a learned complexity is the layer's: give complexity=, or ask GFABlock.graphs")
        if complexity is None:
            complexity = complexity_map(x, self.detector, self.pooling)  # type: ignore[arg-type]
        check_scores(complexity, x.shape[2], x.shape[3], len(x))
        return exact_scores(complexity) if self.reproducible else flatten_towards_mean(complexity.to(x.dtype))

    def _connect(self, features: list[Tensor], scores: Tensor, cells: Cells) -> WindowGraph:
        degrees = self._degrees(scores, cells)
        mask = torch.empty(*degrees.shape, cells.candidates.shape[1], dtype=torch.bool, device=degrees.device)
        similarities = CellSimilarities(cells, features[0])
        inside = None if self.padding else cells.candidates < cells.num_real
        for rows, degree, out in zip(features, degrees.detach(), mask, strict=True):
            for part in steps(similarities.parts):
                valid = None if inside is None else inside[part, None]
                select(similarities(rows, part), degree[part], self.method, valid=valid, out=out[part])
        if self.method == "bisection":  # may leave a node without edges: it gets all, see WindowGraph
            everyone = mask.view(torch.uint8).amax(-1, keepdim=True) == 0
            mask |= everyone if inside is None else everyone & inside[:, None]
        if not cells.tiled:
            mask &= cells.real[:, :, None]
        return WindowGraph(cells, mask, degrees, padding=self.padding)

    def _degrees(self, scores: Tensor, cells: Cells) -> Tensor:
        degrees = share_budget(scores, cells, mean_degree=self.mean_degree, scope=self.scope)
        limit = cells.real * cells.candidates.shape[1]
        if not self.padding:
            limit = cells.real * (cells.candidates < cells.num_real).sum(1, keepdim=True)
            degrees = torch.minimum(degrees, limit.to(degrees.dtype))
        if self.method != "exact":
            return degrees
        whole = whole_degrees(degrees.detach(), limit, mean_degree=self.mean_degree, scope=self.scope)
        return whole + (degrees - degrees.detach())  # rounded, with the gradient of what was rounded


def build_graphs(feature_map: Tensor, **settings: object) -> dict[str, WindowGraph]:
    """Build the local and the mesh graph of a ``(B, C, H, W)`` feature map, see :class:`GraphBuilder`."""
    return GraphBuilder(**settings)(feature_map)  # type: ignore[arg-type]


Graph: TypeAlias = WindowGraph | Data
Builder: TypeAlias = Callable[[Tensor], Mapping[str, Graph]]


@dataclass(frozen=True)
class EdgeListBuilder:
    """Builder of one edge list, along which the layers of a :class:`~glic_pyg.nn.GFABlock` attend.

    Attributes:
        kind: the name of the graph.
        build: from a ``(B, C, H, W)`` map.
        settings: the builder that scores and connects the nodes.
    """

    kind: str
    build: Callable[[Tensor], Data]
    settings: GraphBuilder | RadiusGraphBuilder

    def __call__(self, x: Tensor) -> dict[str, Data]:
        """``{kind: graph}``."""
        return {self.kind: self.build(x)}


def graph_builder(
    kinds: Sequence[str] = ("local", "mesh"), radius: float | None = None, **settings: Any
) -> Builder:
    """Create the builder that settings of ``conf/graph`` describe.

    ``["union"]`` joins the local and the mesh graph to one, in which every layer reads both kinds of
    neighbours at once. ``["radius"]`` lets every node choose in the disc around itself. Both are lists of
    edges, along which :func:`~glic_pyg.nn.edge_attention` takes up to twice as long as windows do.

    Args:
        kinds: some of ``"local"`` and ``"mesh"``, or ``"union"`` or ``"radius"`` alone.
        radius: of the disc, in nodes; for ``"radius"`` alone.
        settings: the others of :class:`GraphBuilder`, or those of :class:`RadiusGraphBuilder`.

    Raises:
        ValueError: the settings do not go together.
    """
    if (radius is not None) != (list(kinds) == ["radius"]):
        raise ValueError(
            f"a radius belongs to graphs of the kind ['radius'] and to no other, got {list(kinds)}"
        )
    if list(kinds) not in (["union"], ["radius"]):
        return GraphBuilder(kinds=kinds, **settings)  # type: ignore[arg-type]
    if settings.get("detector") == "learned":
        raise ValueError(f"a learned complexity needs graphs of the kinds local or mesh, not {list(kinds)}")
    if radius is not None:
        discs = RadiusGraphBuilder(radius, **settings)
        return EdgeListBuilder("radius", discs, discs)
    windows = GraphBuilder(**settings)
    return EdgeListBuilder("union", partial(_union, windows), windows)


def _union(builder: GraphBuilder, x: Tensor) -> Data:
    return union_data(builder(x))
