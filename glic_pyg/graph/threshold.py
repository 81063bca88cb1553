"""Edge selection: a similarity threshold per node, found by bisection or exactly."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from glic_pyg import kernels

Method = Literal["bisection", "exact"]

BISECTION_STEPS = 5

EXACT_ROUNDS, STEPS_A_ROUND = 2, 8
"""Of the exact search: after each round, rows that have a threshold are left out."""


def select(
    similarity: Tensor,
    degrees: Tensor,
    method: Method,
    *,
    valid: Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Adjacency by :func:`bisect` or by :func:`keep_top`."""
    if method == "bisection":
        return bisect(similarity, degrees, valid=valid, out=out)
    if method == "exact":
        return keep_top(similarity, degrees, valid=valid, out=out)
    raise ValueError(f"unknown threshold method {method!r}: use 'bisection' or 'exact'")


def bisect(
    similarity: Tensor,
    degrees: Tensor,
    steps: int = BISECTION_STEPS,
    *,
    valid: Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Edges whose similarity exceeds a threshold found by bisection (GLIC section 5).

    The search starts at the node's mean similarity, between its lowest similarity and 1, and moves
    up while a node has more neighbours than its target.

    Args:
        similarity: ``(..., s)`` cosine similarities of a node with its candidates.
        degrees: ``(...)`` target degrees.
        valid: optional bool that broadcasts to ``(..., s)``, False at places that are no candidates.
        out: optional contiguous ``(..., s)`` bool to write to.

    Returns:
        ``(..., s)`` bool adjacency.
    """
    threshold, low = _start(similarity, valid)
    if out is None:
        out = torch.empty_like(similarity, dtype=torch.bool)
    if kernels.can_select(similarity, degrees):
        kernels.bisect(similarity, degrees, threshold, low, steps, valid, out)
        return out
    if valid is not None:
        similarity = similarity.masked_fill(~valid, -torch.inf)
    high = torch.ones_like(threshold)
    target = degrees[..., None]
    above = torch.empty_like(similarity)  # 0 or 1 in floating point: adding those up is quickest
    for _ in range(steps):
        too_many = torch.gt(similarity, threshold, out=above).sum(-1, keepdim=True) > target
        low, high = torch.where(too_many, threshold, low), torch.where(too_many, high, threshold)
        threshold = (low + high).mul_(0.5)
    return torch.gt(similarity, threshold, out=out)


def keep_top(
    similarity: Tensor, degrees: Tensor, *, valid: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """The ``degrees`` most similar candidates of each node; among equals, the first ones.

    Args:
        similarity: ``(..., s)``.
        degrees: ``(...)`` whole numbers, at most the number of a node's candidates.
        valid, out: as in :func:`bisect`.

    Returns:
        ``(..., s)`` bool adjacency with exactly ``degrees`` edges a node.
    """
    if out is None:
        out = torch.empty_like(similarity, dtype=torch.bool)
    if kernels.can_select(similarity, degrees):
        kernels.keep_top(similarity, degrees, valid, out)
        return out
    lowest = similarity if valid is None else similarity.masked_fill(~valid, torch.inf)
    if valid is not None:
        similarity = similarity.masked_fill(~valid, -torch.inf)
    rows, wanted = similarity.flatten(0, -2), degrees.flatten()[:, None]
    thresholds, rest = _thresholds(rows, lowest.flatten(0, -2).amin(-1, keepdim=True), wanted)
    kept = torch.gt(rows, thresholds, out=out.view(rows.shape))
    if len(rest):
        order = rows[rest].argsort(dim=-1, descending=True, stable=True)
        first = torch.arange(rows.shape[-1], device=rows.device) < wanted[rest]
        kept[rest] = torch.zeros_like(order, dtype=torch.bool).scatter_(-1, order, first)
    return out


def _thresholds(rows: Tensor, lowest: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Find a threshold for each row that exactly ``wanted`` of its values exceed, by bisection.

    Most rows have theirs after a round, and the search goes on with the others alone. A sort would serve all
    of them, in ten times the time.

    Args:
        rows: ``(n, s)``.
        lowest: ``(n, 1)``, the smallest value of each row that may be kept.
        wanted: ``(n, 1)``.

    Returns:
        ``(n, 1)`` thresholds; and the numbers of the rows that have none, since values there are equal or
        nearly so, or all are wanted.
    """
    thresholds, index = rows.amax(-1, keepdim=True), torch.arange(len(rows), device=rows.device)
    low, high, found = lowest, thresholds.clone(), torch.zeros_like(thresholds)  # found: values above high
    for _ in range(EXACT_ROUNDS):
        above = torch.empty_like(rows)  # 0 or 1 in floating point: adding those up is quickest
        for _ in range(STEPS_A_ROUND):
            middle = (low + high) / 2
            count = torch.gt(rows, middle, out=above).sum(-1, keepdim=True)
            enough = count <= wanted
            low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
            found = torch.where(enough, count, found)
        thresholds[index] = high
        left = (found != wanted)[:, 0]
        index, rows, low, high, found, wanted = (t[left] for t in (index, rows, low, high, found, wanted))
    return thresholds, index


def _start(similarity: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and lowest similarity over the candidates, ``(..., 1)`` each."""
    if valid is None:
        return similarity.mean(-1, keepdim=True), similarity.amin(-1, keepdim=True)
    mean = (similarity * valid).sum(-1, keepdim=True) / valid.sum(-1, keepdim=True).clamp_min(1)
    return mean, similarity.masked_fill(~valid, torch.inf).amin(-1, keepdim=True)
