"""Target degrees: the edge budget N * mean_degree, shared out by complexity."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from glic_pyg import kernels
from glic_pyg.graph.cells import Cells
from glic_pyg.graph.similarity import NonFiniteMap, on_lattice

Scope = Literal["cell", "image"]

MEAN_DEGREE = 64
FLATTENING = 1.5
STEPS = 2**20  # a degree is counted in steps of 1 / STEPS while it is being rounded
SCALING_STEPS = 60
SCORE_STEP = 2.0**-16


def flatten_towards_mean(complexity: Tensor, flattening: float = FLATTENING) -> Tensor:
    """Pull a ``(B, H, W)`` complexity map towards its own mean: mu + (c - mu) / flattening."""
    mean = complexity.mean(2).mean(1)[:, None, None]  # in two steps: the same for any thread count
    return mean + (complexity - mean) / flattening


def exact_scores(complexity: Tensor) -> Tensor:
    """:func:`flatten_towards_mean` in multiples of 2^-16, see :mod:`glic_pyg.graph.similarity`."""
    rounded = on_lattice(complexity, SCORE_STEP)
    count = float(rounded[0].numel())
    mean = (rounded.sum((1, 2)) / count)[:, None, None]
    return on_lattice(mean + (rounded - mean) / FLATTENING, SCORE_STEP)


def target_degrees(
    complexity: Tensor,
    cells: Cells,
    *,
    mean_degree: float = MEAN_DEGREE,
    flattening: float = FLATTENING,
    scope: Scope = "cell",
) -> Tensor:
    r"""Target degree of every node, real-valued.

    .. math:: d_i = \mathrm{clamp}\left(\frac{c_i}{\sum_j c_j} N \bar d,\; 1,\; s\right)

    with the sum and N over the node's cell (as the released model computes it) or over the image
    (as the paper words the budget); s is the number of candidates.

    Args:
        complexity: ``(B, H, W)`` from :func:`glic_pyg.graph.complexity.complexity_map`.
        cells: geometry of the graph.
        scope: ``"cell"`` or ``"image"``.

    Returns:
        ``(B, G, q)`` in [1, s]; 0 at filler nodes. Differentiable with respect to the complexity.

    Raises:
        NonFiniteMap, ValueError: see :func:`share_budget`.
    """
    check_scores(complexity, cells.height, cells.width)
    scores = flatten_towards_mean(complexity, flattening)
    return share_budget(scores, cells, mean_degree=mean_degree, scope=scope)


def check_scores(scores: Tensor, height: int, width: int, batch: int | None = None) -> None:
    """Raise a ValueError unless ``scores`` have the shape ``(batch, height, width)``; None is any batch."""
    if scores.dim() != 3 or scores.shape[1:] != (height, width) or batch not in (None, len(scores)):
        raise ValueError(
            f"complexity has the shape ({batch or 'B'}, {height}, {width}) of its map, "
            f"got {tuple(scores.shape)}"
        )


def share_budget(
    scores: Tensor, cells: Cells, *, mean_degree: float = MEAN_DEGREE, scope: Scope = "cell"
) -> Tensor:
    """:func:`target_degrees` from ``(B, H, W)`` scores that are flattened already.

    Raises:
        NonFiniteMap: the scores are not finite or overflow when they are added up.
        ValueError: they do not fit the cells, or a setting is unknown.
    """
    check_scores(scores, cells.height, cells.width)
    if not 1 <= mean_degree <= cells.candidates.shape[1]:
        raise ValueError(
            f"a mean degree of {mean_degree} does not fit {cells.candidates.shape[1]} candidates: "
            "choose one between 1 and that"
        )
    if scope not in ("cell", "image"):
        raise ValueError(f"unknown budget scope {scope!r}: use 'cell' or 'image'")
    padded = torch.nn.functional.pad(scores.flatten(1), (0, 1))
    score = padded[:, cells.gather_nodes]
    total, nodes = score.sum(2, keepdim=True), cells.real.sum(1, keepdim=True)
    if scope == "image":
        total, nodes = total.sum(1, keepdim=True), nodes.sum(0, keepdim=True)
    if not total.isfinite().all():
        raise NonFiniteMap(
            f"the complexity of the map holds NaN, infinity or values too large for {scores.dtype}: no edge "
            "budget can be shared out by it; divide the map first, its graph does not depend on the scale"
        )
    share = score / total.clamp_min(torch.finfo(score.dtype).tiny)
    degrees = (share * (nodes.to(share.dtype) * mean_degree)).clamp(1, cells.candidates.shape[1])
    return degrees * cells.real


def whole_degrees(
    degrees: Tensor, limit: Tensor, *, mean_degree: float = MEAN_DEGREE, scope: Scope = "cell"
) -> Tensor:
    r"""Round degrees to whole numbers that meet the budget exactly.

    The degrees of a budget scope are scaled by one factor, and kept in 1..limit, until they sum to
    ``round(N * mean_degree)`` (or as near as the limits allow); then they are rounded down and what is
    missing goes to the largest remainders, the first of equals first. All sums are of integers
    (degrees in steps of 2^-20), so the result does not depend on the order of summation.

    Args:
        degrees: ``(B, G, q)`` from :func:`target_degrees`.
        limit: ``(G, q)`` int64, the most edges a node can have; 0 at filler nodes.

    Returns:
        ``(B, G, q)`` whole numbers, the dtype of ``degrees``.
    """
    rows, upper = (degrees, limit) if scope == "cell" else (degrees.flatten(1), limit.flatten())
    lower = upper.clamp(max=1)
    budget = (lower.sum(-1).double() * mean_degree).round().long()
    budget = torch.minimum(torch.maximum(budget, lower.sum(-1)), upper.sum(-1))[..., None]
    steps = _scale_to(rows.double() * STEPS, budget * STEPS, lower * STEPS, upper * STEPS)
    whole = steps // STEPS
    remainder = torch.where(whole < upper, steps % STEPS, -1)
    order = torch.sort(remainder, dim=-1, descending=True, stable=True).indices
    missing = budget - whole.sum(-1, keepdim=True)
    extra = torch.arange(whole.shape[-1], device=whole.device) < missing
    whole += torch.zeros_like(whole).scatter_(-1, order, extra.long())
    return whole.view_as(degrees).to(degrees.dtype)


def _scale_to(rows: Tensor, budget: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """``clamp(factor * rows, lower, upper)`` in int64, with the largest factor that stays in budget."""
    high = 2 * upper.to(rows.dtype).amax(-1, keepdim=True) / STEPS
    if kernels.can_scale(rows):
        return kernels.scale_degrees(rows, budget, lower, upper, high, SCALING_STEPS)
    low = torch.zeros_like(budget, dtype=rows.dtype)
    for _ in range(SCALING_STEPS):
        factor = (low + high) / 2
        over = _scaled(rows, factor, lower, upper).sum(-1, keepdim=True) > budget
        low, high = torch.where(over, low, factor), torch.where(over, factor, high)
    return _scaled(rows, low, lower, upper)


def _scaled(rows: Tensor, factor: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    return torch.minimum(torch.maximum((rows * factor).long(), lower), upper)
