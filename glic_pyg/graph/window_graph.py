"""The data contract of a built graph: cells, candidates and adjacency, and the way to ``edge_index``.

``WindowGraph`` is what the fast path of :class:`glic_pyg.nn.GFAConv` works on. ``to_data`` turns it
into an ordinary PyG ``Data`` whose ``edge_index`` is sorted by target, and ``from_data`` reads it
back without loss. In that form a graph of a batch has ``B * num_nodes`` nodes: for each image the
real nodes row-major, then its phantoms.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import Data

from glic_pyg.graph.cells import Cells, local_cells, mesh_cells


@dataclass(frozen=True, eq=False)
class WindowGraph:
    """Adjacency of a batch of maps over one cell geometry.

    Attributes:
        cells: the geometry.
        mask: ``(B, G, q, s)`` bool, True where candidate j sends a message to node i.
        degrees: ``(B, G, q)`` target degrees that the mask was built for.
    """

    cells: Cells
    mask: Tensor
    degrees: Tensor

    @property
    def batch_size(self) -> int:
        """Number of maps."""
        return self.mask.shape[0]

    def attended(self, image: int, cells: slice) -> Tensor:
        """Who is read by whom in some cells of one image, ``(cells, q, s)`` bool.

        Differs from the adjacency only at a node left with no edge: it reads all its candidates,
        which is what the released masking amounts to (GLIC section 5).
        """
        mask = self.mask[image, cells]
        return mask | ~mask.any(-1, keepdim=True)

    def edge_index(self) -> Tensor:
        """``(2, E)`` int64: sources (row 0) and targets (row 1), sorted by target, then candidate."""
        return self._edges()[0]

    def to_data(self, x: Tensor | None = None) -> Data:
        """The graph as PyG data.

        Args:
            x: optional ``(B, C, H, W)`` map whose nodes become ``data.x``.

        Returns:
            ``Data`` with ``edge_index`` (2, E); ``edge_attr`` (E, 2) int64, the lattice offset that the
            position bias reads; ``edge_cell`` (E,); ``pos`` (nodes, 2) row and column; ``batch``;
            ``phantom`` bool; ``cell`` (-1 at phantoms); ``degree`` target degree (0 at phantoms);
            ``kind``, ``height``, ``width`` of the geometry.
        """
        edge_index, edge_attr, edge_cell = self._edges()
        cells, batch = self.cells, self.batch_size
        data = Data(
            x=None if x is None else self._node_rows(x.permute(0, 2, 3, 1).flatten(1, 2)),
            edge_index=edge_index,
            edge_attr=edge_attr,
            edge_cell=edge_cell,
            pos=cells.positions.repeat(batch, 1),
            cell=self._per_node(torch.arange(cells.nodes.shape[0])[:, None].expand_as(cells.nodes), -1),
            degree=self._per_node(self.degrees, 0),
            phantom=(torch.arange(cells.num_nodes) >= cells.num_real).repeat(batch),
            batch=torch.arange(batch).repeat_interleave(cells.num_nodes),
            num_nodes=batch * cells.num_nodes,
        )
        data.kind, data.height, data.width = cells.kind, cells.height, cells.width
        data.cell_side, data.window_side = cells.cell_side, cells.window_side
        return data

    @classmethod
    def from_data(cls, data: Data) -> WindowGraph:
        """Read back what :meth:`to_data` wrote.

        Raises:
            ValueError: if an edge does not belong to the geometry that the data names.
        """
        make = local_cells if data.kind == "local" else mesh_cells
        cells = make(data.height, data.width, cell_side=data.cell_side, window_side=data.window_side)
        batch = data.num_nodes // cells.num_nodes
        slot_of_node = cells.nodes.new_full((cells.num_nodes, 2), -1)
        slot_of_node[cells.nodes] = _pairs(*cells.nodes.shape)
        source, target = data.edge_index
        cell, node = slot_of_node[target % cells.num_nodes].unbind(-1)
        offset = data.edge_attr + torch.stack([node // cells.cell_side, node % cells.cell_side], -1)
        candidate = offset[:, 0] * cells.window_side + offset[:, 1]
        if not torch.equal(cells.candidates[cell, candidate], source % cells.num_nodes):
            raise ValueError(f"an edge of this data is not between a node and a candidate of its {data.kind} cell")
        mask = torch.zeros(batch, *cells.nodes.shape, cells.candidates.shape[1], dtype=torch.bool)
        mask[target // cells.num_nodes, cell, node, candidate] = True
        per_image = data.degree.view(batch, cells.num_nodes)
        return cls(cells, mask, per_image[:, cells.nodes] * cells.real)

    def _edges(self) -> tuple[Tensor, Tensor, Tensor]:
        cells = self.cells
        image, cell, node, candidate = self.mask.nonzero(as_tuple=True)
        target = cells.nodes[cell, node] + image * cells.num_nodes
        source = cells.candidates[cell, candidate] + image * cells.num_nodes
        order = torch.sort(target, stable=True).indices
        offsets = cells.lattice_offsets().to(target.device)[node, candidate]
        return torch.stack([source, target])[:, order], offsets[order], cell[order]

    def _node_rows(self, rows: Tensor) -> Tensor:
        """``(B, N, C)`` real rows -> ``(B * num_nodes, C)`` with zero rows for phantoms."""
        filler = self.cells.num_nodes - self.cells.num_real
        return torch.nn.functional.pad(rows, (0, 0, 0, filler)).flatten(0, 1)

    def _per_node(self, values: Tensor, missing: int) -> Tensor:
        """Values per cell slot ``([B,] G, q)`` -> one per node of the batch."""
        cells = self.cells
        values = values.expand(self.batch_size, *cells.nodes.shape)
        out = values.new_full((self.batch_size, cells.num_nodes), missing)
        out[:, cells.nodes[cells.real]] = values[:, cells.real]
        return out.flatten()


def _pairs(rows: int, columns: int) -> Tensor:
    return torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).view(rows, columns, 2)
