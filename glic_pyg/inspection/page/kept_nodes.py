"""The nodes whose neighbours a page can show: all of them would be too many bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.block_graphs import BlockGraphs

__all__ = ["KeptNodes"]


@dataclass(frozen=True)
class KeptNodes:
    """One node of a block's map in every square of ``pitch`` x ``pitch`` pixels of the photo.

    Where a node is larger than such a square, all nodes are kept. Nodes over the padding are not.

    Attributes:
        rows, columns: of the map, rising; a node is kept if it lies in one of each.
        width: of the whole map, in nodes.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    width: int

    @classmethod
    def of(cls, block: BlockGraphs, photo_shape: tuple[int, int], pitch: int) -> KeptNodes:
        """Those of a block over a photo of (H, W) pixels."""
        step = max(1, pitch // block.stride)
        rows, columns = (-(-length // block.stride) for length in photo_shape)
        return cls(_every(step, rows), _every(step, columns), block.shape[1])

    @property
    def numbers(self) -> NDArray[np.int64]:
        """(n,) the numbers of the nodes in the whole map, row-major."""
        return (self.rows[:, None] * self.width + self.columns).ravel()

    @property
    def places(self) -> list[tuple[int, int]]:
        """(n) rows and columns of the nodes, in the same order."""
        return [(int(row), int(column)) for row in self.rows for column in self.columns]


def _every(step: int, length: int) -> NDArray[np.int64]:
    """Every ``step``-th index from the middle of the first step on, one at least."""
    return np.arange(min(step // 2, length - 1), length, step)
