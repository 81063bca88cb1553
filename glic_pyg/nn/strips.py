"""Evaluate a map operation strip by strip, so that what is between two layers stays in cache."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STRIP_ROWS = 16


def strip_bounds(height: int, halo: int) -> list[tuple[int, int, int, int]]:
    """Rows ``(first, last, above, below)`` of each strip; above and below are the halo rows it has."""
    starts = range(0, height, STRIP_ROWS)
    ends = [min(s + STRIP_ROWS, height) for s in starts]
    return [(s, e, min(halo, s), min(halo, height - e)) for s, e in zip(starts, ends, strict=True)]


def by_strips(operation: Callable[[Tensor, tuple[int, int]], Tensor], rows: Tensor, halo: int) -> Tensor:
    """Apply an operation on rows to a whole ``(B, H, W, C)`` map.

    Without gradients the map is taken ``STRIP_ROWS`` rows of one image at a time; with gradients in
    one piece, since autograd would keep every strip anyway. Both give the same numbers up to the
    rounding of a differently blocked matrix product.

    Args:
        operation: gets rows with their halo and ``(top, bottom)``, the numbers of rows missing from the
            halo at the border of the map, and returns as many rows as it got without any halo.
        rows: ``(B, H, W, C)``.
        halo: rows that an output row reads above and below itself.
    """
    if torch.is_grad_enabled():
        return operation(rows, (halo, halo))
    out: Tensor | None = None
    for image in range(rows.shape[0]):
        for first, last, above, below in strip_bounds(rows.shape[1], halo):
            strip = rows[image : image + 1, first - above : last + below]
            result = operation(strip, (halo - above, halo - below))
            if out is None:
                out = result.new_empty(*rows.shape[:3], result.shape[-1])
            out[image : image + 1, first:last] = result
    assert out is not None
    return out
