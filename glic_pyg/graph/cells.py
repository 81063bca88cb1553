"""Cells: a partition of a feature map whose parts each share one set of candidate neighbours.

Positions of a map are numbered row-major: real node ``(r, c)`` is ``r * width + c``. Candidate
positions that fall outside the map are *padding* nodes. They carry the feature 0 and are numbered
after the real nodes, row-major over the padded extent, so that two cells that look at the same
position outside the map name the same padding node.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["local", "mesh"]

CELL_SIDE = 8
WINDOW_SIDE = 16
MOST_NODES_KEPT = 2**17


@dataclass(frozen=True, eq=False)
class Cells:
    """The fixed geometry of one candidate graph over an ``height`` x ``width`` map.

    Attributes:
        kind: ``"local"`` (windows) or ``"mesh"`` (strided grids over the whole map).
        height, width: size of the map in nodes.
        nodes: ``(G, q)`` int64, the node ids of each cell, row-major inside the cell. An id at or
            above ``num_real`` is a filler in a map that the cells do not tile exactly.
        candidates: ``(G, s)`` int64, the candidate ids of each cell, row-major.
        positions: ``(num_nodes, 2)`` int64, row and column of every real and padding node.
    """

    kind: Kind
    height: int
    width: int
    nodes: Tensor
    candidates: Tensor
    positions: Tensor
    cell_side: int = CELL_SIDE
    window_side: int = WINDOW_SIDE

    def __post_init__(self) -> None:
        """Check a geometry on the CPU, where all of ours begin.

        Raises:
            ValueError: ids are not int64, out of range, or do not name every real node once.
        """
        if self.nodes.dtype != torch.int64 or self.candidates.dtype != torch.int64:
            raise ValueError(f"node ids are int64, got {self.nodes.dtype} and {self.candidates.dtype}")
        if self.nodes.device.type != "cpu":
            return
        ids = torch.cat([self.nodes.flatten(), self.candidates.flatten()])
        found = self.nodes.flatten()[self.slots]
        if ids.min() < 0 or ids.max() >= self.num_nodes or not found.equal(_numbers(self.num_real)):
            raise ValueError(f"the nodes of these cells are not those of a {self.height}x{self.width} map")

    @property
    def num_real(self) -> int:
        """Number of positions on the map, N = height * width."""
        return self.height * self.width

    @property
    def num_nodes(self) -> int:
        """Number of real and padding nodes together."""
        return self.positions.shape[0]

    @property
    def real(self) -> Tensor:
        """``(G, q)`` bool: the cell's nodes that lie on the map."""
        return self.nodes < self.num_real

    @property
    def tiled(self) -> bool:
        """Whether the cells tile the map exactly, without filler nodes."""
        return self.nodes.numel() == self.num_real

    @cached_property
    def slots(self) -> Tensor:
        """``(N,)`` int64: where in the flattened ``nodes`` each real node is."""
        return self.nodes.flatten().argsort()[: self.num_real]

    @property
    def gather_nodes(self) -> Tensor:
        """``(G, q)`` int64 rows into N real rows followed by one zero row."""
        return self.nodes.clamp(max=self.num_real)

    @property
    def gather_candidates(self) -> Tensor:
        """``(G, s)`` int64 rows into N real rows followed by one zero row."""
        return self.candidates.clamp(max=self.num_real)

    def lattice_offsets(self) -> Tensor:
        """Candidate minus node on the cell's own lattice, ``(q, s, 2)`` int64 in -7..15.

        Both kinds of cells share these offsets, which is what the position bias reads
        (GLIC released model; position bias of its window attention).
        """
        node = _grid(self.cell_side, self.cell_side)
        candidate = _grid(self.window_side, self.window_side)
        return (candidate[None] - node[:, None]).to(self.nodes.device)

    def to(self, device: torch.device | str) -> Cells:
        """The same geometry on another device."""
        if self.nodes.device == torch.device(device):
            return self
        moved = {name: getattr(self, name).to(device) for name in ("nodes", "candidates", "positions")}
        return replace(self, **moved)


def local_cells(
    height: int, width: int, *, cell_side: int = CELL_SIDE, window_side: int = WINDOW_SIDE
) -> Cells:
    """Local windows: an 8x8 cell looks at the 16x16 patch centred on it (GLIC section 3).

    Works for any map; a map that 8 does not divide ends in cells with filler nodes.

    Raises:
        ValueError: if a side is not positive, or the window is not wider than the cell by an
            even number.
    """
    _check_map(height, width)
    if cell_side < 1 or window_side < cell_side or (window_side - cell_side) % 2:
        raise ValueError(
            f"a window of side {window_side} cannot be centred on a cell of side {cell_side}: "
            "choose two positive sides that differ by an even number"
        )
    return _cells("local", height, width, cell_side, window_side)


def mesh_cells(
    height: int, width: int, *, cell_side: int = CELL_SIDE, window_side: int = WINDOW_SIDE
) -> Cells:
    """Mesh grids: a cell is a strided 8x8 grid over the whole map, its candidates a 16x16 one.

    Works for any map: strides are those of the smallest multiple of 16 that covers it.

    Raises:
        ValueError: if a side is not positive, or the window is not a multiple of the cell.
    """
    _check_map(height, width)
    if cell_side < 1 or window_side % cell_side:
        raise ValueError(
            f"a mesh window of side {window_side} must be a multiple of its cell of side {cell_side}"
        )
    return _cells("mesh", height, width, cell_side, window_side)


def _check_map(height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise ValueError(f"a feature map needs at least one row and one column, got {height}x{width}")


def _cells(kind: Kind, height: int, width: int, cell_side: int, window_side: int) -> Cells:
    """Those of large maps are made anew each time: they take 64 bytes a node."""
    make = _kept if height * width <= MOST_NODES_KEPT else _made
    return make(kind, height, width, cell_side, window_side)


@lru_cache(maxsize=32)
def _kept(kind: Kind, height: int, width: int, cell_side: int, window_side: int) -> Cells:
    return _made(kind, height, width, cell_side, window_side)


@torch.inference_mode(False)  # kept for training as well, wherever it is first asked for
def _made(kind: Kind, height: int, width: int, cell_side: int, window_side: int) -> Cells:
    axis = _local_axis if kind == "local" else _mesh_axis
    node_rows, candidate_rows = axis(height, cell_side, window_side)
    node_cols, candidate_cols = axis(width, cell_side, window_side)
    nodes = _product(node_rows, node_cols)
    candidates = _product(candidate_rows, candidate_cols)
    ids, positions = _number(height, width, torch.cat([nodes.flatten(0, 1), candidates.flatten(0, 1)]))
    nodes_id, candidates_id = ids.split([nodes[..., 0].numel(), candidates[..., 0].numel()])
    return Cells(
        kind,
        height,
        width,
        nodes_id.view(nodes.shape[:2]),
        candidates_id.view(candidates.shape[:2]),
        positions,
        cell_side,
        window_side,
    )


def _local_axis(length: int, cell: int, window: int) -> tuple[Tensor, Tensor]:
    """Coordinates along one axis: ``(cells, cell)`` of the nodes, ``(cells, window)`` of candidates."""
    start = _numbers(length, cell)[:, None]
    margin = (window - cell) // 2
    return start + _numbers(cell), start - margin + _numbers(window)


def _mesh_axis(length: int, cell: int, window: int) -> tuple[Tensor, Tensor]:
    fine = -(-length // window)
    coarse = fine * (window // cell)
    start = _numbers(coarse)[:, None]
    return start + coarse * _numbers(cell), start % fine + fine * _numbers(window)


def _product(rows: Tensor, cols: Tensor) -> Tensor:
    """Outer product of two axes: ``(cells_r * cells_c, side * side, 2)`` positions, row-major."""
    grid_r = rows[:, None, :, None].expand(-1, cols.shape[0], -1, cols.shape[1])
    grid_c = cols[None, :, None, :].expand(rows.shape[0], -1, rows.shape[1], -1)
    return torch.stack([grid_r, grid_c], -1).flatten(2, 3).flatten(0, 1)


def _number(height: int, width: int, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Ids for ``(M, 2)`` positions: real nodes first, then padding nodes in row-major order."""
    row, col = positions.unbind(-1)
    inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
    outside = positions[~inside]
    padding, inverse = torch.unique(outside, dim=0, return_inverse=True)
    ids = row * width + col
    ids[~inside] = height * width + inverse
    return ids, torch.cat([_grid(height, width), padding])


def _grid(height: int, width: int) -> Tensor:
    return torch.cartesian_prod(_numbers(height), _numbers(width)).view(-1, 2)


def _numbers(end: int, step: int = 1) -> Tensor:
    """0, step, ... below ``end``, on the CPU whatever torch's default device is."""
    return torch.arange(0, end, step, device="cpu")
