"""Pairs of near positions: within a radius, or the nearest ones; by torch-cluster, or by comparing all pairs.

Where torch-cluster is installed it finds what is near; which of that counts is decided here, so the result is
the same without it, ties and rounding included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

PAIRS_AT_ONCE = 2**20
SLACK, LEAST_RADIUS = 1 + 1e-6, 1e-9  # torch-cluster may look this much further than the radius


def torch_cluster_or_none() -> Any:
    """torch-cluster, imported when a graph first needs it; None if it is absent or cannot be loaded."""
    try:
        import torch_cluster
    except (ImportError, OSError):
        return None
    return torch_cluster


def within_radius(
    targets: Tensor, sources: Tensor, radius: float, batch: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Find pairs of positions at a Euclidean distance of at most ``radius``.

    Args:
        targets: ``(n, D)`` positions, whole or floating-point numbers.
        sources: ``(m, D)`` positions.
        radius: not negative.
        batch: the graph of each target and of each source, ascending; pairs lie within one graph.

    Returns:
        ``(2, E)`` int64, row 0 into ``sources``, row 1 into ``targets``, sorted by target, then source.

    Raises:
        ValueError: the radius is negative or not finite, or a position is not finite.
    """
    if not 0 <= radius < math.inf:
        raise ValueError(f"a radius of {radius} makes no graph: choose a finite one, 0 or more")
    _check(targets, sources)
    # Squared distances of whole numbers are whole: half a step above the largest one inside, none can round.
    bound = radius**2 if targets.is_floating_point() else math.floor(radius**2) + 0.5
    cluster = torch_cluster_or_none()
    if cluster is None or not len(targets) or not len(sources):
        return _compare_all(targets, sources, batch, lambda squared: squared <= bound)
    found = cluster.radius(
        sources.double(),
        targets.double(),
        math.sqrt(bound) * SLACK + LEAST_RADIUS,
        **_batches(batch),
        max_num_neighbors=len(sources),
    )
    return _ordered(found[:, _squared(targets, sources, *found) <= bound], len(sources))


def nearest(targets: Tensor, sources: Tensor, k: int, batch: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Find the ``k`` nearest sources of each target, or all of fewer; of equally near ones the first.

    Args, Returns, Raises: as :func:`within_radius`.
    """
    if k < 1:
        raise ValueError(f"the {k} nearest nodes make no graph: choose 1 or more")
    _check(targets, sources)
    cluster, asked = torch_cluster_or_none(), min(k + 8, len(sources))
    while cluster is not None and len(targets) and asked:
        found = cluster.knn(sources.double(), targets.double(), asked, **_batches(batch))
        kept, certain = _first_k(found, _squared(targets, sources, *found), k, asked, len(targets))
        if certain or asked == len(sources):
            return _ordered(kept, len(sources))
        asked = min(2 * asked, len(sources))  # some targets have more sources as near as their k-th
    return _compare_all(targets, sources, batch, lambda squared: _k_smallest(squared, k))


def _first_k(found: Tensor, squared: Tensor, k: int, asked: int, targets: int) -> tuple[Tensor, bool]:
    """The k nearest of some pairs, and whether none as near can be missing among them."""
    order = found[1].argsort(stable=True)
    for values in (squared, found[0]):
        order = order[values[order].argsort(stable=True)]
    target, distance = found[0, order], squared[order]
    counts = torch.bincount(target, minlength=targets)
    first = counts.cumsum(0) - counts
    rank = torch.arange(len(target), device=target.device) - first[target]
    full = counts == asked  # of others all sources were found
    last, kth = (distance[(first + place)[full]] for place in (asked - 1, min(k, asked) - 1))
    return found[:, order[rank < k]], bool((kth < last).all())


def _k_smallest(squared: Tensor, k: int) -> Tensor:
    rank = squared.argsort(dim=-1, stable=True).argsort(dim=-1)
    return (rank < k) & squared.isfinite()


def _check(targets: Tensor, sources: Tensor) -> None:
    for positions in (targets, sources):
        if positions.is_floating_point() and not positions.isfinite().all():
            raise ValueError("a position is NaN or infinite: no graph can be built from it")


def _batches(batch: tuple[Tensor, Tensor] | None) -> dict[str, Tensor]:
    return {} if batch is None else {"batch_y": batch[0], "batch_x": batch[1]}


def _squared(targets: Tensor, sources: Tensor, target: Tensor, source: Tensor) -> Tensor:
    """Squared distances of pairs, in float64."""
    return (targets[target].double() - sources[source].double()).square().sum(-1)


def _ordered(found: Tensor, sources: int) -> Tensor:
    """Pairs (target, source) as an edge_index, sorted."""
    return found.flip(0)[:, torch.argsort(found[0] * sources + found[1])]


def _compare_all(
    targets: Tensor,
    sources: Tensor,
    batch: tuple[Tensor, Tensor] | None,
    keep: Callable[[Tensor], Tensor],
) -> Tensor:
    """Pairs whose squared distances are to be kept, some targets at a time; infinite between two graphs."""
    found = [torch.empty(2, 0, dtype=torch.long, device=targets.device)]
    at_once = max(1, PAIRS_AT_ONCE // max(1, len(sources)))
    for first in range(0, len(targets) if len(sources) else 0, at_once):
        here = targets[first : first + at_once, None].double()
        squared = (here - sources.double()).square().sum(-1)
        if batch is not None:
            squared[batch[0][first : first + at_once, None] != batch[1]] = torch.inf
        target, source = keep(squared).nonzero(as_tuple=True)
        found.append(torch.stack([source, target + first]))
    return torch.cat(found, dim=1)
