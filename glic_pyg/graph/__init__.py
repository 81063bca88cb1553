"""Graphs over feature maps: candidates, complexity, degrees, edge selection, conversion to PyG ``Data``."""

from glic_pyg.graph.builder import Builder, EdgeListBuilder, Graph, GraphBuilder, build_graphs, graph_builder
from glic_pyg.graph.candidates import nearest, within_radius
from glic_pyg.graph.cells import Cells, local_cells, mesh_cells
from glic_pyg.graph.complexity import complexity_map
from glic_pyg.graph.degree import target_degrees, whole_degrees
from glic_pyg.graph.points import PointGraphBuilder
from glic_pyg.graph.radius import RadiusGraphBuilder, build_radius_graph
from glic_pyg.graph.union import union_data
from glic_pyg.graph.window_graph import WindowGraph

__all__ = [
    "Builder",
    "Cells",
    "EdgeListBuilder",
    "Graph",
    "GraphBuilder",
    "PointGraphBuilder",
    "RadiusGraphBuilder",
    "WindowGraph",
    "build_graphs",
    "build_radius_graph",
    "complexity_map",
    "graph_builder",
    "local_cells",
    "mesh_cells",
    "nearest",
    "target_degrees",
    "union_data",
    "whole_degrees",
    "within_radius",
]
