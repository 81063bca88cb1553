"""What the two ends of a :class:`~glic_pyg.models.base.EntropyCoder` must agree on.

Both turn means and scales into integers the same way (``lattice``) and both run a CRC-32 over the integers
that make up the latents, z symbols and lattice coordinates of y_hat and corrected y_hat, in coding order.
The encoder's goes into the header; where the decoder's differs there is an error and no picture.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor

from glic_pyg.codec.lattice import LATTICE
from glic_pyg.codec.tables import Table, factorized_tables

__all__ = ["Channel", "PriorTables", "as_uint8", "channel_numbers", "medians"]


class PriorTables:
    """The tables of a model's factorized priors, built when first asked for."""

    def __init__(self) -> None:
        self._tables: dict[EntropyBottleneck, tuple[Table, ...]] = {}

    def of(self, bottleneck: EntropyBottleneck) -> tuple[Table, ...]:
        """Return the tables of ``bottleneck``, one a channel."""
        if bottleneck not in self._tables:
            self._tables[bottleneck] = factorized_tables(bottleneck)
        return self._tables[bottleneck]


class Channel:
    """What both ends share: the tables, the checksum and the count of y values so far.

    Args:
        priors: tables of the factorized priors.

    Attributes:
        crc: CRC-32 of the latents so far.
        coded: how many values of y came over the channel so far.
    """

    def __init__(self, priors: PriorTables) -> None:
        self.priors = priors
        self.coded = 0
        self.crc = 0

    def account(self, integers: Tensor) -> None:
        """Take integers of any shape into the checksum."""
        self.crc = zlib.crc32(np.ascontiguousarray(integers.cpu().numpy(), dtype="<i4").data, self.crc)

    def y_hat(self, coordinates: Tensor) -> Tensor:
        """Account for lattice coordinates, int64 of any shape, and return their values in float64."""
        self.account(coordinates)
        self.coded += coordinates.numel()
        return coordinates.double() / LATTICE


def medians(bottleneck: EntropyBottleneck, device: torch.device) -> Tensor:
    """Medians of the prior, float64 (1, C, 1, 1)."""
    return bottleneck.quantiles[:, 0, 1].detach().to(device, torch.float64).reshape(1, -1, 1, 1)


def channel_numbers(shape: tuple[int, ...]) -> np.ndarray:
    """Channel of each element of a (1, C, h, w) tensor in memory order."""
    return np.repeat(np.arange(shape[1]), shape[2] * shape[3])


def as_uint8(values: Tensor) -> np.ndarray:
    """Flat, on the CPU."""
    return values.flatten().cpu().numpy().astype(np.uint8)
