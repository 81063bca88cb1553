"""Where the bits of a picture go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.models.contract import LATENT_STRIDE, SIDE_STRIDE

__all__ = ["Bits", "bits_of"]


@dataclass(frozen=True, eq=False)
class Bits:
    """Bits that the entropy model predicts for every latent; a file has about 1 % more.

    Attributes:
        y: (M, h, w) float32, bits of every latent, one place every 16 pixels of the padded picture.
        z: (N, h/4, w/4) float32, bits of every side latent, one place every 64 pixels.
    """

    y: NDArray[np.float32]
    z: NDArray[np.float32]

    @property
    def total(self) -> float:
        """Bits of the padded picture."""
        return float(self.y.sum(dtype=np.float64) + self.z.sum(dtype=np.float64))

    @property
    def per_cell(self) -> NDArray[np.float32]:
        """(h, w), bits of y at every place over all channels, and a share of the bits of z above it."""
        steps = SIDE_STRIDE // LATENT_STRIDE
        side = self.z.sum(0).repeat(steps, axis=0).repeat(steps, axis=1) / steps**2
        y = self.y.sum(0)
        return y + side[: y.shape[0], : y.shape[1]]

    def per_pixel(self, height: int, width: int) -> NDArray[np.float32]:
        """(height, width) of the photo: bits a pixel, alike in every square of 16 x 16 pixels."""
        squares = self.per_cell / LATENT_STRIDE**2
        return squares.repeat(LATENT_STRIDE, axis=0).repeat(LATENT_STRIDE, axis=1)[:height, :width]


def bits_of(likelihoods: Mapping[str, Tensor]) -> Bits:
    """The bits of the likelihoods ``{"y": (1, M, h, w), "z": (1, N, h/4, w/4)}`` of one picture."""
    y, z = (-likelihoods[name][0].detach().double().log2().float().cpu().numpy() for name in ("y", "z"))
    return Bits(y, z)
