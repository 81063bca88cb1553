"""Edge selection in C, with the same edges: the twin of :mod:`glic_pyg.graph.threshold`."""

from __future__ import annotations

import torch
from torch import Tensor

from glic_pyg.kernels.library import available, run
from glic_pyg.kernels.operators import no_result, operator

__all__ = ["bisect", "can_select", "keep_top"]

GRAIN = 1024


def can_select(similarity: Tensor, degrees: Tensor) -> bool:
    """Whether the functions below can do this: contiguous float32 similarities on a CPU."""
    return (
        similarity.device.type == "cpu"
        and similarity.dtype == degrees.dtype == torch.float32
        and similarity.is_contiguous()
        and available()
    )


@operator("keep_top(Tensor similarity, Tensor degrees, Tensor? valid, Tensor(a!) out) -> ()", no_result)
def keep_top(similarity: Tensor, degrees: Tensor, valid: Tensor | None, out: Tensor) -> None:
    """As :func:`glic_pyg.graph.threshold.keep_top`, written to ``out``, contiguous bool."""
    similarities, places = _by_group(similarity, valid)
    each = degrees.reshape(similarities.shape[:-1])
    run("keep_top", similarities, each, places, out.view(similarities.shape), grain=GRAIN)


@operator(
    "bisect(Tensor similarity, Tensor degrees, Tensor start, Tensor low, int steps, Tensor? valid, "
    "Tensor(a!) out) -> ()",
    no_result,
)
def bisect(
    similarity: Tensor,
    degrees: Tensor,
    start: Tensor,
    low: Tensor,
    steps: int,
    valid: Tensor | None,
    out: Tensor,
) -> None:
    """As :func:`glic_pyg.graph.threshold.bisect`; ``start`` and ``low``: mean and lowest value."""
    similarities, places = _by_group(similarity, valid)
    each = [numbers.reshape(similarities.shape[:-1]) for numbers in (degrees, start, low)]
    run("bisect", similarities, *each, places, out.view(similarities.shape), grain=GRAIN, steps=steps)


def _by_group(similarity: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """``(groups, rows, s)`` similarities and ``(groups, s)`` bool, the valid places of a group's rows."""
    if valid is None:
        return similarity.flatten(0, -2)[None], None
    shared = similarity.dim() > 1 and valid.dim() == similarity.dim() and valid.shape[-2] == 1
    rows = similarity.shape[-2] if shared else 1
    leading = similarity.shape[:-2] if shared else similarity.shape[:-1]
    places = valid.squeeze(-2) if shared else valid
    places = places.expand(*leading, similarity.shape[-1]).reshape(-1, similarity.shape[-1])
    return similarity.view(len(places), rows, similarity.shape[-1]), places.contiguous()
