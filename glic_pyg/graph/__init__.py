"""A feature map and its graphs: candidates, complexity, degrees, thresholds, the data contract."""

from glic_pyg.graph.build import GraphBuilder, build_graphs
from glic_pyg.graph.cells import Cells, local_cells, mesh_cells
from glic_pyg.graph.complexity import complexity_map
from glic_pyg.graph.degree import target_degrees, whole_degrees
from glic_pyg.graph.radius import within_radius
from glic_pyg.graph.radius_graph import RadiusGraphBuilder, build_radius_graph
from glic_pyg.graph.settings import Builder, EdgeListBuilder, Graph, graph_builder
from glic_pyg.graph.union import union_data
from glic_pyg.graph.window_graph import WindowGraph

__all__ = [
    "Builder",
    "Cells",
    "EdgeListBuilder",
    "Graph",
    "GraphBuilder",
    "RadiusGraphBuilder",
    "WindowGraph",
    "build_graphs",
    "build_radius_graph",
    "complexity_map",
    "graph_builder",
    "local_cells",
    "mesh_cells",
    "target_degrees",
    "union_data",
    "whole_degrees",
    "within_radius",
]
