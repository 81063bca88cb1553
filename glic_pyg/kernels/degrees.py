"""Degrees scaled to a budget in C: the twin of a part of :mod:`glic_pyg.graph.degree`, bit by bit."""

from __future__ import annotations

import torch
from torch import Tensor

from glic_pyg.kernels.library import available, run
from glic_pyg.kernels.operators import operator

__all__ = ["can_scale", "scale_degrees"]

GRAIN = 64


def can_scale(rows: Tensor) -> bool:
    """Whether :func:`scale_degrees` can do this: float64 on a CPU."""
    return rows.device.type == "cpu" and rows.dtype == torch.float64 and available()


def _fake(rows: Tensor, *_: object) -> Tensor:
    return torch.empty_like(rows, dtype=torch.int64, memory_format=torch.contiguous_format)


@operator(
    "scale_degrees(Tensor rows, Tensor budget, Tensor lower, Tensor upper, Tensor high, int steps) -> Tensor",
    _fake,
)
def scale_degrees(
    rows: Tensor, budget: Tensor, lower: Tensor, upper: Tensor, high: Tensor, steps: int
) -> Tensor:
    """``clamp(factor * rows, lower, upper)`` with the largest factor whose sum stays in the budget.

    Args:
        rows: ``(..., q)`` float64, not negative.
        budget: int64 that broadcasts to ``(..., 1)``.
        lower, upper: int64 that broadcast to ``(..., q)``.
        high: float64 that broadcasts to ``(..., 1)``, factors that are large enough.
        steps: of bisection between 0 and that.

    Returns:
        ``(..., q)`` int64.
    """
    out = _fake(rows)
    values = [part.expand(rows.shape).contiguous().flatten(0, -2) for part in (rows, lower, upper)]
    each = [part.expand(*rows.shape[:-1], 1).contiguous().flatten() for part in (high, budget)]
    run("scale_degrees", *values, *each, out.flatten(0, -2), grain=GRAIN, steps=steps)
    return out
