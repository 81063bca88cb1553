"""From settings to what builds the graphs of a map: one way for windows, union and radius."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from torch import Tensor
from torch_geometric.data import Data

from glic_pyg.graph.build import GraphBuilder
from glic_pyg.graph.radius_graph import RadiusGraphBuilder
from glic_pyg.graph.union import union_data
from glic_pyg.graph.window_graph import WindowGraph

Graph: TypeAlias = WindowGraph | Data
Builder: TypeAlias = Callable[[Tensor], Mapping[str, Graph]]


@dataclass(frozen=True)
class EdgeListBuilder:
    """One graph of a map as a list of edges: :class:`~glic_pyg.nn.GFABlock` passes messages along them.

    Attributes:
        kind: the name of the graph.
        build: from a ``(B, C, H, W)`` map.
        settings: what scores and connects the nodes.
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
    """The builder of settings as ``conf/graph`` has them.

    ``["union"]`` joins the local and the mesh graph to one, in which every layer reads both kinds of
    neighbours at once. ``["radius"]`` lets every node choose in the disc around itself. Both are lists of
    edges: they take the plain path of message passing, which is slower and needs more memory than windows.

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
