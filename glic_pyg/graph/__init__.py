"""A feature map and its graphs: candidates, complexity, degrees, thresholds, the data contract."""

from glic_pyg.graph.build import GraphBuilder, build_graphs
from glic_pyg.graph.cells import Cells, local_cells, mesh_cells
from glic_pyg.graph.complexity import complexity_map
from glic_pyg.graph.degree import target_degrees
from glic_pyg.graph.window_graph import WindowGraph

__all__ = [
    "Cells",
    "GraphBuilder",
    "WindowGraph",
    "build_graphs",
    "complexity_map",
    "local_cells",
    "mesh_cells",
    "target_degrees",
]
