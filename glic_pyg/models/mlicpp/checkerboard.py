"""The checkerboard: a slice of latents is coded in two halves, the anchors first.

Anchors are the sites whose row + column is odd, so the top left site is none. Half a map keeps all rows
and, in each, every second column: ``(B, C, h, w)`` -> ``(B, C, h, w/2)``; h and w are even.
"""

from __future__ import annotations

import torch
from torch import Tensor

OTHERS, ANCHORS = 0, 1
"""Parity of row + column."""


def half_of(x: Tensor, parity: int) -> Tensor:
    """The sites of one parity: ``(..., h, w)`` -> ``(..., h, w/2)``."""
    even_rows, odd_rows = x[..., 0::2, parity::2], x[..., 1::2, 1 - parity :: 2]
    return torch.stack([even_rows, odd_rows], -2).flatten(-3, -2)


def weave(others: Tensor, anchors: Tensor) -> Tensor:
    """Both halves ``(..., h, w/2)`` in one map ``(..., h, w)``."""
    even_rows = torch.stack([others[..., 0::2, :], anchors[..., 0::2, :]], -1).flatten(-2)
    odd_rows = torch.stack([anchors[..., 1::2, :], others[..., 1::2, :]], -1).flatten(-2)
    return torch.stack([even_rows, odd_rows], -2).flatten(-3, -2)


def only(half: Tensor, parity: int) -> Tensor:
    """One half in a map that is 0 elsewhere: ``(..., h, w/2)`` -> ``(..., h, w)``."""
    nothing = torch.zeros_like(half)
    return weave(nothing, half) if parity == ANCHORS else weave(half, nothing)


def is_anchor(height: int, width: int, device: torch.device) -> Tensor:
    """``(height, width)`` bool."""
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    return (rows[:, None] + columns) % 2 == ANCHORS
