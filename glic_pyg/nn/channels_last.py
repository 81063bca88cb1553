"""Maps as rows of channels: the layout in which a 1x1 convolution is a matrix product.

Modules take and give ``(B, C, H, W)`` tensors in channels-last memory; inside they work on the
``(B, H, W, C)`` view, which costs nothing.
"""

from __future__ import annotations

from torch import Tensor


def rows_of(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` -> contiguous ``(B, H, W, C)``; a view if ``x`` is channels-last."""
    return x.permute(0, 2, 3, 1).contiguous()


def map_of(rows: Tensor) -> Tensor:
    """``(B, H, W, C)`` -> ``(B, C, H, W)`` in channels-last memory; always a view."""
    return rows.permute(0, 3, 1, 2)
