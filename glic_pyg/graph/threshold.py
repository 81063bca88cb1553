"""Which candidates to keep: a similarity threshold per node."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BISECTION_STEPS = 5
NORM_FLOOR = 1e-12


def unit_features(nodes: Tensor) -> Tensor:
    """Rows of ``(N, C)`` scaled to length 1 (norms floored at 1e-12), then one phantom row of zeros."""
    return F.pad(F.normalize(nodes, dim=-1, eps=NORM_FLOOR), (0, 0, 0, 1))


def bisect(similarity: Tensor, degrees: Tensor, steps: int = BISECTION_STEPS) -> Tensor:
    """Edges whose similarity exceeds a threshold found by bisection (GLIC section 5).

    The search starts at the node's mean similarity, between its lowest similarity and 1, and moves
    up while a node has more neighbours than its target.

    Args:
        similarity: ``(..., s)`` cosine similarities of a node with its candidates.
        degrees: ``(...)`` target degrees.

    Returns:
        ``(..., s)`` bool adjacency.
    """
    threshold = similarity.mean(-1, keepdim=True)
    low, high = similarity.amin(-1, keepdim=True), torch.ones_like(threshold)
    target = degrees[..., None]
    for _ in range(steps):
        too_many = (similarity > threshold).sum(-1, keepdim=True) > target
        low = torch.where(too_many, threshold, low)
        high = torch.where(too_many, high, threshold)
        threshold = torch.where(too_many, (threshold + high) / 2, (threshold + low) / 2)
    return similarity > threshold
