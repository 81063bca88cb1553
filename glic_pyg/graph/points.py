"""Graphs of nodes at any positions, such as superpixels: each selects neighbours among those near it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import Data

from glic_pyg.graph.candidates import nearest, within_radius
from glic_pyg.graph.degree import whole_degrees
from glic_pyg.graph.similarity import NonFiniteMap, unit_features
from glic_pyg.graph.threshold import Method, select

NODES_AT_ONCE = 2**12


@dataclass(frozen=True)
class PointGraphBuilder:
    """Builder of graphs of nodes at arbitrary positions: candidates by distance, edges by similarity.

    What :class:`~glic_pyg.graph.RadiusGraphBuilder` does on a map: a node's share of the edge budget follows
    its complexity, and its edges come from the candidates whose features are most similar to its own.
    Torch-cluster finds the candidates where it is installed; the result is the same without.

    Attributes:
        radius: candidates are the nodes within this Euclidean distance, itself included;
        k: or the k nearest ones, itself included. Give one of the two.
        mean_degree: budget per node; None keeps all candidates.
        method: ``"exact"`` or ``"bisection"``.

    Raises:
        ValueError: neither or both of radius and k are given, or a number is out of range.
    """

    radius: float | None = None
    k: int | None = None
    mean_degree: float | None = None
    method: Method = "exact"

    def __post_init__(self) -> None:
        if (self.radius is None) == (self.k is None):
            raise ValueError("candidates are those within a radius or the k nearest: give one of the two")
        if self.mean_degree is not None and self.mean_degree < 1:
            raise ValueError(f"a mean degree of {self.mean_degree} is too small: choose 1 or more")

    @torch.no_grad()
    def __call__(
        self, x: Tensor, pos: Tensor, batch: Tensor | None = None, complexity: Tensor | None = None
    ) -> Data:
        """Build the graph of N nodes.

        Args:
            x: ``(N, C)`` features.
            pos: ``(N, D)`` positions.
            batch: ``(N,)`` int64, ascending, the graph of each node.
            complexity: ``(N,)`` scores above 0 that share out each graph's budget; by default all are equal.

        Returns:
            ``Data`` with ``x``, ``pos``, ``edge_index`` (2, E) sorted by target, then source; ``degree`` and
            ``target_degree`` (N,), the edges that a node has and was to have; ``batch`` and ``ptr``.

        Raises:
            NonFiniteMap: features or scores are not finite.
            ValueError: the tensors do not fit each other.
        """
        batch = _check(x, pos, batch, complexity)
        ends = (batch, batch)
        if self.radius is not None:
            edges = within_radius(pos, pos, self.radius, ends)
        else:
            edges = nearest(pos, pos, int(self.k or 0), ends)
        limit = torch.bincount(edges[1], minlength=len(x))
        ptr = torch._convert_indices_from_coo_to_csr(batch, int(batch.max()) + 1 if len(batch) else 0)
        target_degree = limit.float()
        if self.mean_degree is not None:
            scores = torch.ones(len(x), device=x.device) if complexity is None else complexity
            target_degree = self._degrees(scores, limit, ptr, self.mean_degree)
            edges = edges[:, self._select(x, edges, limit, target_degree)]
        return Data(
            x=x,
            edge_index=edges,
            pos=pos,
            degree=torch.bincount(edges[1], minlength=len(x)),
            target_degree=target_degree,
            batch=batch,
            ptr=ptr,
        )

    def _degrees(self, scores: Tensor, limit: Tensor, ptr: Tensor, mean: float) -> Tensor:
        """Real-valued or, by the exact method, whole target degrees of all nodes."""
        found = []
        for first, last in zip(ptr[:-1].tolist(), ptr[1:].tolist(), strict=True):
            here, most = scores[first:last].double(), limit[first:last]
            share = here / here.sum() * (len(here) * mean)
            degrees = torch.minimum(share.clamp_min(1), most.double())
            if self.method == "exact":
                whole = whole_degrees(degrees[None, None], most[None], mean_degree=mean, scope="image")
                degrees = whole[0, 0]
            found.append(degrees)
        return torch.cat(found).float() if found else scores.new_empty(0)

    def _select(self, x: Tensor, edges: Tensor, limit: Tensor, degrees: Tensor) -> Tensor:
        """Which of the candidate edges are kept, ``(E,)`` bool."""
        unit = unit_features(x if x.dtype == torch.float64 else x.float())
        first = limit.cumsum(0) - limit
        kept = torch.zeros(edges.shape[1], dtype=torch.bool, device=x.device)
        for nodes in torch.arange(len(x), device=x.device).split(NODES_AT_ONCE):
            places = torch.arange(int(limit[nodes].max()), device=x.device)
            valid = places < limit[nodes, None]
            place = (first[nodes, None] + places).clamp(max=edges.shape[1] - 1)
            similarity = (unit[nodes, None] * unit[edges[0, place]]).sum(-1)
            chosen = select(similarity, degrees[nodes], self.method, valid=valid) & valid
            chosen |= valid & ~chosen.any(-1, keepdim=True)  # as the builders of maps do
            kept[place[valid]] = chosen[valid]
        return kept


def _check(x: Tensor, pos: Tensor, batch: Tensor | None, complexity: Tensor | None) -> Tensor:
    """The batch vector, after a look at the shapes."""
    if x.dim() != 2 or pos.dim() != 2 or len(x) != len(pos):
        raise ValueError(f"x (N, C) and pos (N, D) are needed, got {tuple(x.shape)} and {tuple(pos.shape)}")
    if complexity is not None and (complexity.shape != (len(x),) or not (complexity > 0).all()):
        if complexity.shape == (len(x),) and not complexity.isfinite().all():
            raise NonFiniteMap("a complexity is not finite: no edge budget can be shared out by it")
        raise ValueError(f"complexity holds one score above 0 for each of the {len(x)} nodes")
    if batch is None:
        return torch.zeros(len(x), dtype=torch.long, device=x.device)
    if batch.shape != (len(x),) or (len(batch) and (batch[0] < 0 or (batch.diff() < 0).any())):
        raise ValueError(f"batch holds the graph of each of the {len(x)} nodes, ascending from 0")
    return batch
