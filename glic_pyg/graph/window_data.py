"""Reading PyG ``Data`` back into cells and adjacency."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from glic_pyg.graph.cells import Cells, local_cells, mesh_cells

_GEOMETRY = ("kind", "height", "width", "cell_side", "window_side")


def read_window_data(data: Data) -> tuple[Cells, Tensor, Tensor]:
    """Geometry, ``(B, G, q, s)`` mask and ``(B, G, q)`` degrees of what ``WindowGraph.to_data`` wrote.

    Raises:
        ValueError: see :meth:`glic_pyg.graph.WindowGraph.from_data`.
    """
    cells = _geometry(data)
    batch = data.num_nodes // cells.num_nodes
    image, cell, node, candidate = _slots(data, cells)
    shape = (batch, *cells.nodes.shape, cells.candidates.shape[1])
    mask = torch.zeros(shape, dtype=torch.bool, device=cells.nodes.device)
    mask[image, cell, node, candidate] = True
    if mask.sum() != data.num_edges:
        raise ValueError(
            "this data holds an edge twice, which a WindowGraph cannot: call data.coalesce() first"
        )
    return cells, mask, data.degree.view(batch, cells.num_nodes)[:, cells.nodes] * cells.real


def _geometry(data: Data) -> Cells:
    """Cells of a ``Data`` or of a ``Batch`` of data over one geometry, on the device of its edges."""
    if any(name not in data for name in _GEOMETRY):
        raise ValueError("this data does not name its cells: give data that WindowGraph.to_data made")
    kind, *sizes = (_the_only(data[name]) for name in _GEOMETRY)
    if kind not in ("local", "mesh"):
        raise ValueError(f"a graph of kind {kind!r} has no cells: a WindowGraph is 'local' or 'mesh'")
    height, width, cell_side, window_side = sizes
    make = local_cells if kind == "local" else mesh_cells
    cells = make(height, width, cell_side=cell_side, window_side=window_side)
    if data.num_nodes % cells.num_nodes:
        raise ValueError(
            f"{data.num_nodes} nodes are not a multiple of the {cells.num_nodes} of a {height}x{width} map"
        )
    return cells.to(data.edge_index.device)


def _the_only(value: Any) -> Any:
    """The value that all members of a batch agree on; a batch holds a list or a tensor of them."""
    values = value.tolist() if isinstance(value, Tensor) else value if isinstance(value, list) else [value]
    if len(set(values)) != 1:
        raise ValueError("a WindowGraph has one geometry: convert the members of to_data_list() one by one")
    return values[0]


def _slots(data: Data, cells: Cells) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Image, cell, node in the cell and candidate of the cell of each edge."""
    if (
        data.edge_attr is None
        or data.edge_attr.shape != (data.num_edges, 2)
        or data.edge_attr.is_floating_point()
    ):
        raise ValueError("this data lacks the (E, 2) whole numbers edge_attr that WindowGraph.to_data wrote")
    source, target = data.edge_index
    node_id, image = target % cells.num_nodes, target // cells.num_nodes
    slot = cells.slots[node_id.clamp(max=cells.num_real - 1)]
    cell, node = slot // cells.nodes.shape[1], slot % cells.nodes.shape[1]
    row = data.edge_attr[:, 0] + node // cells.cell_side
    column = data.edge_attr[:, 1] + node % cells.cell_side
    side = cells.window_side
    fits = (row >= 0) & (row < side) & (column >= 0) & (column < side)
    candidate = (row * side + column) * fits
    expected = image * cells.num_nodes + cells.candidates[cell, candidate]
    fits &= (target >= 0) & (target < data.num_nodes) & (node_id < cells.num_real) & (expected == source)
    if not fits.all():
        raise ValueError(
            f"an edge of this data is not between a node and a candidate of its {cells.kind} cell: "
            "it was changed since WindowGraph.to_data wrote it"
        )
    return image, cell, node, candidate
