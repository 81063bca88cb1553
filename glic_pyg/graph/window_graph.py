"""Window graphs: adjacency over cells and their candidates, and conversion to and from PyG ``Data``.

``WindowGraph`` is what the fast path of :class:`glic_pyg.nn.GFAConv` works on. ``to_data`` turns it
into an ordinary PyG ``Data`` whose ``edge_index`` is sorted by target, then source, and ``from_data`` reads
it back without loss. In that form a graph of a batch has ``B * num_nodes`` nodes: for each image the
real nodes row-major, then its padding nodes.

An isolated node, one without an edge, reads nothing: its sum is 0 as everywhere in PyG, on the fast path and
along ``edge_index`` alike. Our builders leave none: a node that no candidate is similar enough to gets all
of them, which is what the released masking amounts to (GLIC section 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from glic_pyg.graph.cells import Cells, local_cells, mesh_cells
from glic_pyg.graph.similarity import edge_similarity

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, eq=False)
class WindowGraph:
    """Adjacency of a batch of maps over one cell geometry.

    Attributes:
        cells: the geometry.
        mask: ``(B, G, q, s)`` bool, True where candidate j sends a message to node i.
        target_degree: ``(B, G, q)`` real or whole numbers of edges that the mask was built for.
        padding: whether padding nodes are nodes of this graph; without, no edge comes from one.
    """

    cells: Cells
    mask: Tensor
    target_degree: Tensor
    padding: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        """Check that the parts belong together.

        Raises:
            ValueError: a shape, a dtype or a device does not fit the cells.
        """
        nodes, candidates = self.cells.nodes, self.cells.candidates
        shape = (len(self.mask), *nodes.shape, candidates.shape[1])
        if self.mask.dtype != torch.bool or self.mask.shape != shape or not len(self.mask):
            raise ValueError(
                f"a mask is bool of shape (B, {', '.join(map(str, shape[1:]))}) for these cells, "
                f"got {self.mask.dtype} {tuple(self.mask.shape)}"
            )
        if self.target_degree.shape != shape[:-1]:
            raise ValueError(
                f"target_degree has the shape {shape[:-1]} of the mask's nodes, "
                f"got {tuple(self.target_degree.shape)}"
            )
        if not nodes.device == self.mask.device == self.target_degree.device:
            raise ValueError(
                f"cells on {nodes.device}, a mask on {self.mask.device} and degrees on "
                f"{self.target_degree.device} make no graph: bring them to one device"
            )

    @property
    def batch_size(self) -> int:
        """Number of maps."""
        return self.mask.shape[0]

    @property
    def degree(self) -> Tensor:
        """``(B, G, q)`` int64, the edges that each node has."""
        return self.mask.sum(-1)

    @property
    def num_nodes(self) -> int:
        """Nodes of each map's graph, with the padding nodes if these are part of it."""
        return self.cells.num_nodes if self.padding else self.cells.num_real

    def to(self, device: torch.device | str) -> Self:
        """The same graph on another device."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: part.to(device) for n, part in parts.items() if hasattr(part, "to")})

    def __len__(self) -> int:
        return self.batch_size

    def __repr__(self) -> str:
        cells, maps = self.cells, f"{self.batch_size} map{'s' * (self.batch_size > 1)}"
        edges = f", {int(self.mask.sum())} edges" if self.mask.device.type != "meta" else ""
        return f"{type(self).__name__}({cells.kind}, {maps} of {cells.height}x{cells.width}{edges})"

    @property
    def attention_rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """What the fast path of attention reads, all cells of the batch in one list.

        Returns:
            node rows ``(B * G, q)`` and candidate rows ``(B * G, s)``, int64 into ``B * N`` real rows
            followed by one padding row; and the adjacency, ``(B * G, q, s)`` bool.
        """
        return self._rows(self.cells.nodes), self._rows(self.cells.candidates), self.mask.flatten(0, 1)

    def check_rows(self, rows: Tensor) -> None:
        """Raise a ValueError unless ``rows`` are those of this graph's real nodes, ``(B, N, C)``."""
        batch, cells = self.batch_size, self.cells
        if rows.dim() != 3 or rows.shape[:2] != (batch, cells.num_real):
            padded = len(rows) == batch * cells.num_nodes
            hint = ", without the padding nodes: x[~data.padding]" if padded else ""
            raise ValueError(
                f"x of shape {tuple(rows.shape)} does not fit a graph over {batch} maps of {cells.height}x"
                f"{cells.width}: give ({batch}, {cells.num_real}, C) or ({batch * cells.num_real}, C){hint}"
            )
        if rows.device != self.mask.device:
            raise ValueError(
                f"x is on {rows.device}, its graph on {self.mask.device}: move it with graph.to(device)"
            )

    def _rows(self, ids: Tensor) -> Tensor:
        real, batch = self.cells.num_real, self.batch_size
        images = torch.arange(batch, device=ids.device)[:, None, None] * real
        return torch.where(ids < real, ids + images, batch * real).flatten(0, 1)

    def edge_index(self) -> Tensor:
        """``(2, E)`` int64: sources (row 0) and targets (row 1), sorted by target, then source."""
        image, node, candidate = self._edges()
        return self._ends(image, node, candidate)

    def to_data(self, x: Tensor | None = None, *, similarity: bool = False) -> Data:
        """Convert to PyG data.

        Args:
            x: optional ``(B, C, H, W)`` map whose nodes become ``data.x``.
            similarity: also give ``edge_similarity`` (E,), the cosine similarity of the ends in ``x``.

        Returns:
            ``Data`` with ``edge_index`` (2, E) sorted by target, then source, the order that conversions to
            CSR expect; ``edge_attr`` (E, 2) int64, the lattice offset that the position bias reads;
            ``edge_cell`` (E,); ``pos`` (nodes, 2) float32, x (column) and y (row) as everywhere in PyG;
            ``batch`` and ``ptr``; ``padding`` bool; ``cell`` (-1 at padding nodes); ``degree`` int64, the
            edges that a node has, and ``target_degree``, those it was to have (0 at padding nodes);
            ``kind``, ``height``, ``width`` of the geometry. docs/graphs.md has them in a table.

        Raises:
            ValueError: if ``x`` does not fit the graph, or ``similarity`` is asked for without it.
        """
        self._check_map(x, similarity)
        cells, batch, device = self.cells, self.batch_size, self.mask.device
        image, node, candidate = self._edges()
        edge_index, slot = self._ends(image, node, candidate), cells.slots[node]
        cell_of_slot = torch.arange(len(cells.nodes), device=device)[:, None].expand_as(cells.nodes)
        padding = torch.arange(self.num_nodes, device=device) >= cells.num_real
        data = Data(
            x=None if x is None else self._node_rows(x.permute(0, 2, 3, 1).flatten(1, 2)),
            edge_index=edge_index,
            edge_attr=cells.lattice_offsets()[slot % cells.nodes.shape[1], candidate],
            edge_cell=slot // cells.nodes.shape[1],
            pos=points(cells.positions[: self.num_nodes]).repeat(batch, 1),
            cell=self._per_node(cell_of_slot, -1),
            degree=self._per_node(self.degree, 0),
            target_degree=self._per_node(self.target_degree, 0),
            padding=padding.repeat(batch),
            batch=torch.arange(batch, device=device).repeat_interleave(self.num_nodes),
            ptr=torch.arange(batch + 1, device=device) * self.num_nodes,
            num_nodes=batch * self.num_nodes,
        )
        if similarity:
            data.edge_similarity = edge_similarity(data.x, edge_index)
        data.kind, data.height, data.width = cells.kind, cells.height, cells.width
        data.cell_side, data.window_side = cells.cell_side, cells.window_side
        return data

    def to_data_list(self, x: Tensor | None = None, **options: bool) -> list[Data]:
        """Convert to one ``Data`` per image, ready for ``Batch.from_data_list`` or a PyG loader."""
        self._check_map(x, similarity=False)
        images = [slice(i, i + 1) for i in range(self.batch_size)]
        parts = [(self.mask[i], self.target_degree[i]) for i in images]
        singles = [WindowGraph(self.cells, *part, padding=self.padding) for part in parts]
        maps = [None if x is None else x[i] for i in images]
        return [graph.to_data(x_one, **options) for graph, x_one in zip(singles, maps, strict=True)]

    @classmethod
    def from_data(cls, data: Data) -> WindowGraph:
        """Restore the graph from what :meth:`to_data` wrote, also after ``Batch.from_data_list``.

        Raises:
            ValueError: if the data is of another kind, mixes geometries, or holds an edge that does
                not belong to its geometry.
        """
        cells, mask, asked, padding = _read(data)
        return cls(cells, mask, asked, padding=padding)

    def _edges(self) -> tuple[Tensor, Tensor, Tensor]:
        """Image, real node and place in its cell's candidates of all edges, by image, node, then source."""
        cells = self.cells
        order = cells.candidates.argsort(1)
        cell = cells.slots // cells.nodes.shape[1]
        rows = self.mask.flatten(1, 2)[:, cells.slots]
        image, node, place = rows.gather(2, order[cell].expand_as(rows)).nonzero(as_tuple=True)
        return image, node, order[cell[node], place]

    def _ends(self, image: Tensor, node: Tensor, candidate: Tensor) -> Tensor:
        """Sources and targets of such edges, ``(2, E)``."""
        cells = self.cells
        source = cells.candidates[cells.slots[node] // cells.nodes.shape[1], candidate]
        return torch.stack([source, node]) + image * self.num_nodes

    def _check_map(self, x: Tensor | None, similarity: bool) -> None:
        if x is None:
            if similarity:
                raise ValueError("similarities need the feature map: call to_data(x, similarity=True)")
        elif x.dim() != 4 or (len(x), *x.shape[2:]) != (self.batch_size, self.cells.height, self.cells.width):
            raise ValueError(
                f"a map of shape {tuple(x.shape)} does not fit a graph over {self.batch_size} maps of "
                f"{self.cells.height}x{self.cells.width}: give the (B, C, H, W) map it was built from"
            )

    def _node_rows(self, rows: Tensor) -> Tensor:
        """``(B, N, C)`` real rows -> ``(B * num_nodes, C)`` with zero rows for padding nodes."""
        filler = self.num_nodes - self.cells.num_real
        return torch.nn.functional.pad(rows, (0, 0, 0, filler)).flatten(0, 1)

    def _per_node(self, values: Tensor, missing: int) -> Tensor:
        """Values per cell slot ``([B,] G, q)`` -> one per node of the batch."""
        cells = self.cells
        values = values.expand(self.batch_size, *cells.nodes.shape)
        out = values.new_full((self.batch_size, self.num_nodes), missing)
        out[:, cells.nodes[cells.real]] = values[:, cells.real]
        return out.flatten()


def points(positions: Tensor) -> Tensor:
    """Rows and columns ``(..., 2)`` as PyG's ``pos``: x and y, float32."""
    return positions.flip(-1).float()


_GEOMETRY = ("kind", "height", "width", "cell_side", "window_side")


def _read(data: Data) -> tuple[Cells, Tensor, Tensor, bool]:
    """Geometry, ``(B, G, q, s)`` mask and ``(B, G, q)`` target degrees of what :meth:`WindowGraph.to_data`
    wrote, and whether padding nodes are among its nodes."""
    cells = _geometry(data)
    padding = bool(data.padding.any()) or cells.num_nodes == cells.num_real
    nodes = cells.num_nodes if padding else cells.num_real
    if data.num_nodes % nodes:
        raise ValueError(
            f"{data.num_nodes} nodes are not a multiple of the {nodes} of a {cells.height}x{cells.width} map"
        )
    batch = data.num_nodes // nodes
    image, cell, node, candidate = _slots(data, cells, nodes)
    shape = (batch, *cells.nodes.shape, cells.candidates.shape[1])
    mask = torch.zeros(shape, dtype=torch.bool, device=cells.nodes.device)
    mask[image, cell, node, candidate] = True
    if mask.sum() != data.num_edges:
        raise ValueError(
            "this data holds an edge twice, which a WindowGraph cannot: call data.coalesce() first"
        )
    asked = data.target_degree.view(batch, nodes)[:, cells.nodes.clamp(max=nodes - 1)] * cells.real
    return cells, mask, asked, padding


def _geometry(data: Data) -> Cells:
    """Cells of a ``Data`` or of a ``Batch`` of data over one geometry, on the device of its edges."""
    if any(name not in data for name in (*_GEOMETRY, "padding", "target_degree")):
        raise ValueError("this data does not name its cells: give data that WindowGraph.to_data made")
    kind, *sizes = (_the_only(data[name]) for name in _GEOMETRY)
    if kind not in ("local", "mesh"):
        raise ValueError(f"a graph of kind {kind!r} has no cells: a WindowGraph is 'local' or 'mesh'")
    height, width, cell_side, window_side = sizes
    make = local_cells if kind == "local" else mesh_cells
    cells = make(height, width, cell_side=cell_side, window_side=window_side)
    return cells.to(data.edge_index.device)


def _the_only(value: Any) -> Any:
    """The value that all members of a batch agree on; a batch holds a list or a tensor of them."""
    values = value.tolist() if isinstance(value, Tensor) else value if isinstance(value, list) else [value]
    if len(set(values)) != 1:
        raise ValueError("a WindowGraph has one geometry: convert the members of to_data_list() one by one")
    return values[0]


def _slots(data: Data, cells: Cells, nodes: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Image, cell, node in the cell and candidate of the cell of each edge."""
    if (
        data.edge_attr is None
        or data.edge_attr.shape != (data.num_edges, 2)
        or data.edge_attr.is_floating_point()
    ):
        raise ValueError("this data lacks the (E, 2) whole numbers edge_attr that WindowGraph.to_data wrote")
    source, target = data.edge_index
    node_id, image = target % nodes, target // nodes
    slot = cells.slots[node_id.clamp(max=cells.num_real - 1)]
    cell, node = slot // cells.nodes.shape[1], slot % cells.nodes.shape[1]
    row = data.edge_attr[:, 0] + node // cells.cell_side
    column = data.edge_attr[:, 1] + node % cells.cell_side
    side = cells.window_side
    fits = (row >= 0) & (row < side) & (column >= 0) & (column < side)
    candidate = (row * side + column) * fits
    expected = image * nodes + cells.candidates[cell, candidate]
    fits &= (target >= 0) & (target < data.num_nodes) & (node_id < cells.num_real) & (expected == source)
    if not fits.all():
        raise ValueError(
            f"an edge of this data is not between a node and a candidate of its {cells.kind} cell: "
            "it was changed since WindowGraph.to_data wrote it"
        )
    return image, cell, node, candidate
