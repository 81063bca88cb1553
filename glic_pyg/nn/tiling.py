"""Tiled execution: a few rows of a map at a time, so that intermediate results stay in the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from glic_pyg.progress import steps
from glic_pyg.runtime import give_back

TILE_NODES = 4096
BAND_NODES = 2**16
LEAST_TILE_ROWS = 4


class Operation(Protocol):
    """An operation on a tile, some rows of a map with their halo."""

    def __call__(self, rows: Tensor, padding: tuple[int, int], out: Tensor | None, /) -> Tensor:
        """Compute rows.

        Args:
            rows: ``(B, h, W, C)``, with the halo that lies on the map.
            padding: number of halo rows ``(above, below)`` that lie outside the map, where it is 0.
            out: where to write the result, or None for a new tensor.

        Returns:
            as many rows as there are without any halo.
        """
        ...


def tile_bounds(
    height: int, width: int, halo: int, nodes: int = TILE_NODES
) -> list[tuple[int, int, int, int]]:
    """Rows ``(first, last, above, below)`` of each tile; above and below are its halo rows on the map."""
    size = max(LEAST_TILE_ROWS, nodes // width)
    starts = range(0, height, size)
    ends = [min(s + size, height) for s in starts]
    return [(s, e, min(halo, s), min(halo, height - e)) for s, e in zip(starts, ends, strict=True)]


def run_tiled(operation: Operation, rows: Tensor, halo: int, channels: int) -> Tensor:
    """Apply an operation on tiles to a whole ``(B, H, W, C)`` map.

    Without gradients the map is taken about ``TILE_NODES`` nodes of one image at a time; with gradients in
    one piece, since autograd would keep every tile anyway. Both give the same numbers up to the
    rounding of a differently blocked matrix product.

    Args:
        operation: see :class:`Operation`.
        rows: ``(B, H, W, C)``.
        halo: rows that an output row reads above and below itself.
        channels: of the result.

    Returns:
        ``(B, H, W, channels)``.
    """
    if torch.is_grad_enabled():
        return operation(rows, (halo, halo), None)
    out: Tensor | None = None
    for image in range(rows.shape[0]):
        for first, last, above, below in tile_bounds(rows.shape[1], rows.shape[2], halo):
            tile = rows[image : image + 1, first - above : last + below]
            place = None if out is None else out[image : image + 1, first:last]
            result = operation(tile, (halo - above, halo - below), place)
            if out is None:
                out = result.new_empty(*rows.shape[:3], channels)
                out[image : image + 1, first:last] = result
    assert out is not None
    return out


def run_in_bands(
    operation: Callable[[int, int], tuple[Tensor, ...]], size: tuple[int, int], halo: int, height: int
) -> tuple[Tensor, ...]:
    """Compute large maps from another one, a band of its rows at a time, for the sake of memory.

    What the bands leave free is given back to the system.

    Without gradients a band has about ``BAND_NODES`` nodes; with gradients, or where the whole map has no
    more, there is one. Both give the same numbers up to the rounding of a differently blocked product.

    Args:
        operation: computes maps ``(B, C, h, w)`` from the rows ``first`` to ``last``, as if there were none
            around them; it gives k rows for each, the last time perhaps fewer.
        size: rows and columns of the map that is read.
        halo: how many rows of it around its own a row of the results depends on.
        height: of the results.

    Returns:
        the maps whole, channels last.
    """
    bounds = tile_bounds(*size, halo, BAND_NODES)
    if torch.is_grad_enabled() or len(bounds) == 1:
        return operation(0, size[0])
    scale, wholes = -(-height // size[0]), list[Tensor]()
    for first, last, above, below in steps(bounds):
        maps = operation(first - above, last + below)
        if not wholes:
            shapes = [(len(part), part.shape[1], height, part.shape[3]) for part in maps]
            wholes = [
                torch.empty(shape, dtype=part.dtype, device=part.device, memory_format=torch.channels_last)
                for part, shape in zip(maps, shapes, strict=True)
            ]
        for whole, part in zip(wholes, maps, strict=True):
            own = part[:, :, scale * above : scale * (above + last - first)]
            whole[:, :, scale * first : scale * last] = own
    give_back()
    return tuple(wholes)


def over_bands(operation: Callable[..., Tensor], rows: Tensor, *others: Tensor) -> Tensor:
    """Apply a pointwise operation to contiguous rows ``(..., C)``, for the sake of memory in their place.

    Without gradients rows of more than ``BAND_NODES`` are overwritten, so many at a time; otherwise the
    result is a new tensor.

    Args:
        operation: from some rows, and those of the others beside them, to as many of the same width.
        rows: what may be overwritten.
        others: contiguous, only read.
    """
    if torch.is_grad_enabled() or rows.shape[:-1].numel() <= BAND_NODES:
        return operation(rows, *others)
    for parts in zip(*(t.flatten(0, -2).split(BAND_NODES) for t in (rows, *others)), strict=True):
        parts[0].copy_(operation(*parts))
    return rows
