"""Pixels as channels of a coarser grid, so that the modules of a latent entropy model fit them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

COLOURS = 3


class CellGrid(nn.Module):
    """Space to depth: cells of ``patch`` x ``patch`` pixels become ``3 * patch**2`` channels, and back.

    Channels are sorted by phase, the place of a pixel inside its cell, with its three colours side by side.
    Phases go from coarse to fine: the first 1, 2, 4, 8, ... of them are regular lattices over the whole image
    (square and quincunx in turn), so that a later channel always lies between earlier ones. This is the order
    of the dots in Bayer's dither matrix. The papers are silent; latents have no such order, pixels do.

    Args:
        patch: side of a cell in pixels, a power of 2.

    Raises:
        ValueError: if it is not.
    """

    channels_of: Tensor
    phases_of: Tensor

    def __init__(self, patch: int) -> None:
        super().__init__()
        if patch < 1 or patch & (patch - 1):
            raise ValueError(f"patch must be a power of 2 (1, 2, 4, 8, 16), got {patch}.")
        self.patch = patch
        self.channels = COLOURS * patch**2
        order = torch.tensor(coarse_to_fine(patch))
        channels = (order[:, None] + patch**2 * torch.arange(COLOURS)).flatten()
        self.register_buffer("channels_of", channels, persistent=False)
        self.register_buffer("phases_of", channels.argsort(), persistent=False)

    def fold(self, pixels: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> ``(B, 3 * patch**2, H / patch, W / patch)``."""
        return F.pixel_unshuffle(pixels, self.patch)[:, self.channels_of]

    def unfold(self, cells: Tensor) -> Tensor:
        """The inverse of :meth:`fold`."""
        return F.pixel_shuffle(cells[:, self.phases_of], self.patch)


def coarse_to_fine(patch: int) -> list[int]:
    """Row-major places ``row * patch + column`` of a cell, from coarse to fine."""
    places = [(row, column) for row in range(patch) for column in range(patch)]
    places.sort(key=lambda place: _rank(place[0], place[1], patch))
    return [row * patch + column for row, column in places]


def _rank(row: int, column: int, patch: int) -> int:
    """Bayer's rank: the lowest bits of the place decide first, the diagonal before the edges."""
    rank = 0
    for level in range(patch.bit_length() - 1):
        r, c = row >> level & 1, column >> level & 1
        rank = 4 * rank + 2 * (r ^ c) + r
    return rank
