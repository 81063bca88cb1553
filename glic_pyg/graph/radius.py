"""Radius graphs: each node selects its neighbours among the nodes within a Euclidean distance of itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch_geometric.data import Data

from glic_pyg.graph.candidates import within_radius
from glic_pyg.graph.cells import CELL_SIDE, Cells, local_cells
from glic_pyg.graph.complexity import Detector, Pooling, check_map, complexity_map
from glic_pyg.graph.degree import MEAN_DEGREE, Scope, target_degrees, whole_degrees
from glic_pyg.graph.similarity import CellSimilarities, edge_similarity, unit_features
from glic_pyg.graph.threshold import Method, select
from glic_pyg.graph.window_graph import points

LOCAL_MARGIN = 4  # a local window begins 4 rows above its cell, so its offsets are displacement + 4
LARGEST_RADIUS = 11  # offsets that the position bias knows: -7..15


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # kept for training as well, wherever it is first asked for
def disc_columns(radius: float, cell_side: int = CELL_SIDE) -> Tensor:
    """Positions of the disc of each node of a cell, in the smallest window that contains all of them.

    Returns:
        ``(q, K)`` int64 row-major positions in the window of side ``cell_side + 2 * floor(radius)``,
        ascending; K is the number of lattice positions in the disc.
    """
    margin = math.floor(radius)
    node, window = (_square(side) for side in (cell_side, cell_side + 2 * margin))
    return within_radius(node + margin, window, radius)[0].view(cell_side**2, -1)


def _square(side: int) -> Tensor:
    axis = torch.arange(side, device="cpu")  # also while a model is laid out on the meta device
    return torch.cartesian_prod(axis, axis).view(-1, 2)


@dataclass(frozen=True)
class RadiusGraphBuilder:
    """Builder of radius graphs; the disc is Euclidean, distance <= ``radius``, and holds real nodes only.

    The map is worked through in tiles of 8x8 nodes, so memory grows with the number of edges.

    Attributes:
        radius: in nodes, between 1 and 11.
        detector, pooling: the complexity score.
        mean_degree: budget per node; a node near the border has no more edges than candidates.
        scope: share the budget over the ``"image"`` or over each ``"cell"`` of 8x8 nodes.
        method: ``"bisection"`` or ``"exact"``.
    """

    radius: float = 6
    detector: Detector = "sobel"
    pooling: Pooling = "rms"
    mean_degree: float = MEAN_DEGREE
    scope: Scope = "image"
    method: Method = "bisection"

    def __post_init__(self) -> None:
        if not 1 <= self.radius <= LARGEST_RADIUS:
            raise ValueError(f"radius {self.radius} does not fit: choose one between 1 and {LARGEST_RADIUS}")
        most = disc_columns(self.radius).shape[1]
        if not 1 <= self.mean_degree <= most:
            raise ValueError(
                f"a mean degree of {self.mean_degree} does not fit the {most} positions within radius "
                f"{self.radius}: choose one between 1 and that, or a larger radius"
            )

    @torch.no_grad()
    def __call__(self, x: Tensor, *, similarity: bool = False) -> Data:
        """Build the graph of a ``(B, C, H, W)`` map of any size.

        A node that bisection leaves with no edge gets all its candidates, as the released masking does.

        Returns:
            ``Data`` over ``B * H * W`` nodes: ``x`` (nodes, C) in the map's dtype; ``edge_index`` (2, E)
            sorted by target, then source; ``edge_attr`` (E, 2) int64, displacement + 4, so that a
            displacement reads the position bias it has in a local cell; ``pos`` x and y, float32; ``degree``
            int64, the edges that a node has, and ``target_degree``, those it was to have; ``batch`` and
            ``ptr``; ``padding`` (all False); with ``similarity`` also ``edge_similarity`` (E,).

        Raises:
            ValueError: as :class:`GraphBuilder <glic_pyg.graph.GraphBuilder>`.
        """
        check_map(x)
        given = x
        with torch.autocast(x.device.type, enabled=False):
            x = x if x.dtype == torch.float64 else x.float()
            complexity = complexity_map(x, self.detector, self.pooling)
            tiles = _Tiles.of(x, self.radius)
            degrees = self._degrees(complexity, tiles)
            rows = x.permute(0, 2, 3, 1).flatten(1, 2)
            images = zip(rows, degrees, strict=True)
            edges = [tiles.connect(unit_features(r), d, self.method) for r, d in images]
            data = _as_data(rows, degrees, edges, tiles.cells)
            if similarity:
                data.edge_similarity = edge_similarity(data.x, data.edge_index)
            data.x = given.permute(0, 2, 3, 1).flatten(0, 2)
        data.kind, data.radius = "radius", self.radius
        return data

    def _degrees(self, complexity: Tensor, tiles: _Tiles) -> Tensor:
        """``(B, G, 64)`` target degrees, no more than a node has candidates."""
        degrees = target_degrees(complexity, tiles.cells, mean_degree=self.mean_degree, scope=self.scope)
        limit = tiles.limits()
        if self.method == "exact":
            return whole_degrees(degrees, limit, mean_degree=self.mean_degree, scope=self.scope)
        return torch.minimum(degrees, limit.to(degrees.dtype))


def build_radius_graph(feature_map: Tensor, **settings: object) -> Data:
    """Build the radius graph of a ``(B, C, H, W)`` feature map, see :class:`RadiusGraphBuilder`."""
    return RadiusGraphBuilder(**settings)(feature_map)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Tiles:
    """Cells whose windows hold the discs of their nodes, and where in the window they lie, ``(64, K)``."""

    cells: Cells
    columns: Tensor

    @classmethod
    def of(cls, x: Tensor, radius: float) -> _Tiles:
        """Tiles of a ``(B, C, H, W)`` map, on its device."""
        cells = local_cells(*x.shape[2:], window_side=CELL_SIDE + 2 * math.floor(radius))
        return cls(cells.to(x.device), disc_columns(radius).to(x.device))

    def candidates(self, part: slice) -> tuple[Tensor, Tensor]:
        """Candidate ids of the nodes of some tiles, and which of them are on the map, ``(tiles, 64, K)``."""
        candidates = self.cells.candidates[part][:, self.columns]
        return candidates, (candidates < self.cells.num_real) & self.cells.real[part][..., None]

    def limits(self) -> Tensor:
        """Number of candidates of each node, ``(G, 64)``; 0 at fillers."""
        tiles = range(len(self.cells.nodes))
        return torch.cat([self.candidates(slice(i, i + 1))[1].sum(-1) for i in tiles])

    def connect(self, rows: Tensor, degrees: Tensor, method: Method) -> Tensor:
        """Edges of one image, ``(2, E)``, sorted by target, then source."""
        similarities, found = CellSimilarities(self.cells, rows), []
        for part in similarities.parts:
            candidates, valid = self.candidates(part)
            similarity = similarities(rows, part).gather(2, self.columns.expand_as(candidates))
            kept = select(similarity, degrees[part], method, valid=valid) & valid
            kept |= valid & ~kept.any(-1, keepdim=True)
            tile, node, column = kept.nonzero(as_tuple=True)
            found.append(torch.stack([candidates[tile, node, column], self.cells.nodes[part][tile, node]]))
        edges = torch.cat(found, dim=1)
        return edges[:, torch.sort(edges[1], stable=True).indices]


def _as_data(rows: Tensor, degrees: Tensor, edges: list[Tensor], cells: Cells) -> Data:
    batch, nodes = rows.shape[:2]
    positions = cells.positions[:nodes].repeat(batch, 1)
    edge_index = torch.cat([e + image * nodes for image, e in enumerate(edges)], dim=1)
    target_degree = degrees.new_empty(batch, nodes)
    target_degree[:, cells.nodes[cells.real]] = degrees[:, cells.real]
    data = Data(
        x=rows.flatten(0, 1),
        edge_index=edge_index,
        edge_attr=positions[edge_index[0]] - positions[edge_index[1]] + LOCAL_MARGIN,
        pos=points(positions),
        degree=torch.bincount(edge_index[1], minlength=batch * nodes),
        target_degree=target_degree.flatten(),
        padding=torch.zeros(batch * nodes, dtype=torch.bool, device=rows.device),
        batch=torch.arange(batch, device=rows.device).repeat_interleave(nodes),
        ptr=torch.arange(batch + 1, device=rows.device) * nodes,
        num_nodes=batch * nodes,
    )
    data.height, data.width = cells.height, cells.width
    return data
