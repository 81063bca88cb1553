"""Edge selection: a similarity threshold per node, found by bisection or exactly."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Method = Literal["bisection", "exact"]

BISECTION_STEPS = 5


def select(similarity: Tensor, degrees: Tensor, method: Method, *, valid: Tensor | None = None) -> Tensor:
    """Adjacency by :func:`bisect` or by :func:`keep_top`, with 0 and 1 in any dtype."""
    if method == "bisection":
        return bisect(similarity, degrees, valid=valid)
    if method == "exact":
        return keep_top(similarity, degrees, valid=valid)
    raise ValueError(f"unknown threshold method {method!r}: use 'bisection' or 'exact'")


def bisect(
    similarity: Tensor, degrees: Tensor, steps: int = BISECTION_STEPS, *, valid: Tensor | None = None
) -> Tensor:
    """Edges whose similarity exceeds a threshold found by bisection (GLIC section 5).

    The search starts at the node's mean similarity, between its lowest similarity and 1, and moves
    up while a node has more neighbours than its target.

    Args:
        similarity: ``(..., s)`` cosine similarities of a node with its candidates.
        degrees: ``(...)`` target degrees.
        valid: optional ``(..., s)`` bool, False at places that are no candidates.

    Returns:
        ``(..., s)`` adjacency, 0 or 1 in the dtype of ``similarity``.
    """
    threshold, low = _start(similarity, valid)
    if valid is not None:
        similarity = similarity.masked_fill(~valid, -torch.inf)
    high = torch.ones_like(threshold)
    target = degrees[..., None]
    above = torch.empty_like(similarity)  # 0 or 1 in floating point: adding those up is quickest
    for _ in range(steps):
        too_many = torch.gt(similarity, threshold, out=above).sum(-1, keepdim=True) > target
        low, high = torch.where(too_many, threshold, low), torch.where(too_many, high, threshold)
        threshold = (low + high).mul_(0.5)
    return torch.gt(similarity, threshold, out=above)


def keep_top(similarity: Tensor, degrees: Tensor, *, valid: Tensor | None = None) -> Tensor:
    """The ``degrees`` most similar candidates of each node; among equals, the first ones.

    Args:
        similarity: ``(..., s)``.
        degrees: ``(...)`` whole numbers, at most the number of a node's candidates.
        valid: as in :func:`bisect`.

    Returns:
        ``(..., s)`` bool adjacency with exactly ``degrees`` edges a node.
    """
    if valid is not None:
        similarity = similarity.masked_fill(~valid, -torch.inf)
    wanted = degrees[..., None]
    least = kth_largest(similarity, wanted)
    kept = similarity >= least
    if (kept.sum(-1, keepdim=True) > wanted).any():
        above, equal = similarity > least, similarity == least
        kept = above | (equal & (equal.cumsum(-1) <= wanted - above.sum(-1, keepdim=True)))
    return kept


def kth_largest(similarity: Tensor, k: Tensor) -> Tensor:
    """The k-th largest of ``(..., s)`` values for ``(..., 1)`` numbers k in 1..s (the largest for k = 0).

    A search over the ordered bit patterns of floating point, so it is exact; a sort of each row would
    take ten times as long.
    """
    low, high = (_ordered(t(-1, keepdim=True)) for t in (similarity.amin, similarity.amax))
    above = torch.empty_like(similarity)
    while (low < high).any():
        middle = (low & high) + ((low ^ high) >> 1)
        enough = torch.gt(similarity, _value(middle), out=above).sum(-1, keepdim=True) >= k
        low, high = torch.where(enough, middle + 1, low), torch.where(enough, high, middle)
    return _value(low)


def _ordered(values: Tensor) -> Tensor:
    """Integers of the width of ``values``, in the same order."""
    bits = values.view(torch.int32 if values.dtype == torch.float32 else torch.int64)
    return torch.where(bits < 0, bits ^ torch.iinfo(bits.dtype).max, bits)


def _value(ordered: Tensor) -> Tensor:
    """What :func:`_ordered` was made of."""
    bits = torch.where(ordered < 0, ordered ^ torch.iinfo(ordered.dtype).max, ordered)
    return bits.view(torch.float32 if bits.dtype == torch.int32 else torch.float64)


def _start(similarity: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and lowest similarity over the candidates, ``(..., 1)`` each."""
    if valid is None:
        return similarity.mean(-1, keepdim=True), similarity.amin(-1, keepdim=True)
    mean = (similarity * valid).sum(-1, keepdim=True) / valid.sum(-1, keepdim=True).clamp_min(1)
    return mean, similarity.masked_fill(~valid, torch.inf).amin(-1, keepdim=True)
