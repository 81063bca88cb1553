"""How much to connect: the edge budget N * mean_degree, shared out by complexity."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from glic_pyg.graph.cells import Cells

Scope = Literal["cell", "image"]

MEAN_DEGREE = 64
FLATTENING = 1.5


def flatten_towards_mean(complexity: Tensor, flattening: float = FLATTENING) -> Tensor:
    """Pull a ``(B, H, W)`` complexity map towards its own mean: mu + (c - mu) / flattening."""
    mean = complexity.mean((1, 2), keepdim=True)
    return mean + (complexity - mean) / flattening


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
        ``(B, G, q)`` in [1, s]; 0 at filler nodes.
    """
    if not 1 <= mean_degree <= cells.candidates.shape[1]:
        raise ValueError(
            f"a mean degree of {mean_degree} does not fit {cells.candidates.shape[1]} candidates: "
            "choose one between 1 and that"
        )
    if scope not in ("cell", "image"):
        raise ValueError(f"unknown budget scope {scope!r}: use 'cell' or 'image'")
    flat = flatten_towards_mean(complexity, flattening).flatten(1)
    padded = torch.nn.functional.pad(flat, (0, 1))
    score = padded[:, cells.gather_nodes]
    dims = (2,) if scope == "cell" else (1, 2)
    share = score / score.sum(dims, keepdim=True).clamp_min(torch.finfo(score.dtype).tiny)
    budget = cells.real.sum(dims[0] - 1 if scope == "cell" else None, keepdim=scope == "cell") * mean_degree
    degrees = (share * budget).clamp(1, cells.candidates.shape[1])
    return degrees * cells.real
