r"""Rounding that encoder and decoder share: values to a lattice, scales to table indices, ties to a list.

.. math:: n = \lfloor 256 \mu + 1/2 \rfloor, \qquad
   s = \lfloor \ln(\max(\sigma, 0.11) / 0.11) / \ln r + 1/2 \rfloor

n is taken of every mean, and of y_hat itself where a model corrects it after decoding.
Entropy networks computed in float64 differ between machines by about 1e-14 (a test measures it). That changes
n or s only where the number before rounding is within that distance of a half, a *tie*. The encoder lists
every rounding within ``MARGIN`` of a tie together with its outcome, and the decoder takes the outcome from
the list: in the file that is a fraction of a byte per megapixel, and it costs no second attempt.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.codec.header import pack_varint, pack_varints, take_varint, take_varints
from glic_pyg.codec.tables import LEAST_SCALE, LOG_SCALE_STEP, SCALE_LEVELS
from glic_pyg.errors import CorruptFile

__all__ = [
    "LATTICE",
    "LATTICE_LIMIT",
    "MARGIN",
    "Rounded",
    "TieKind",
    "Ties",
    "lattice_coordinates",
    "level_coordinates",
    "pack_ties",
    "round_tracked",
    "take_ties",
]


LATTICE = 256
"""Lattice points between two integers."""

MARGIN = 1e-9
"""Roundings nearer than this to a tie (in units of y, and of log-scale) are written to the file."""

LATTICE_LIMIT = float(1 << 15)
"""Values are clamped to [-LATTICE_LIMIT, LATTICE_LIMIT], so that y_hat is exact in float32."""


@dataclass(frozen=True)
class Rounded:
    """Rounded values, and which of them were close to a tie.

    Attributes:
        values: int64, the shape of the input.
        near: int64 (k,), flat indices within the margin of a tie, ascending.
    """

    values: Tensor
    near: Tensor


def lattice_coordinates(values: Tensor) -> Tensor:
    """Values in units of the lattice step, not rounded yet: float64, the shape of ``values``."""
    return values.clamp(-LATTICE_LIMIT, LATTICE_LIMIT) * LATTICE


def level_coordinates(scales: Tensor) -> Tensor:
    """Scales as table indices, not rounded yet: float64 in [0, SCALE_LEVELS - 1]."""
    levels = (scales.clamp_min(LEAST_SCALE) / LEAST_SCALE).log_().div_(LOG_SCALE_STEP)
    return levels.clamp_(0.0, float(SCALE_LEVELS - 1))


def round_tracked(coordinates: Tensor, margin: float) -> Rounded:
    """Round half up; also return which roundings lie within ``margin`` (in coordinates) of a tie."""
    low = coordinates.floor()
    above_half = coordinates - low - 0.5
    near = above_half.abs() < margin
    indices = near.flatten().nonzero().flatten() if bool(near.any()) else near.new_empty(0, dtype=torch.int64)
    return Rounded((low + (above_half >= 0)).to(torch.int64), indices.cpu())


_MOST_VALUES = 1 << 61
"""No image has as many; below it, sums of two indices fit into 63 bits."""


class TieKind(enum.IntEnum):
    """What was rounded: a value to the lattice (a mean, or a finished y_hat), or a scale to a level."""

    LATTICE = 0
    LEVEL = 1


@dataclass(frozen=True)
class Ties:
    """Roundings of one kind that could differ on another machine, and their outcomes.

    Attributes:
        indices: int64 (n,), rising: of the values among all that are coded as y, in coding order; those of a
            ``lattice`` call come after the symbols before it.
        odd: int64 (n,), 1 where the outcome is odd; the two candidates are neighbours, so this says which.
    """

    indices: NDArray[np.int64]
    odd: NDArray[np.int64]

    def within(self, first: int, count: int) -> Ties:
        """Ties among the ``count`` values from ``first`` on, with indices relative to ``first``."""
        low, high = np.searchsorted(self.indices, (first, first + count))
        return Ties(self.indices[low:high] - first, self.odd[low:high])


def pack_ties(ties: Sequence[tuple[TieKind, Ties]]) -> bytes:
    """Serialize ties: their count, then 4 * (distance to the one before) + 2 * kind + odd each, all varints.

    Args:
        ties: any number of lists, in any order.
    """
    if not ties:
        return pack_varint(0)
    codes = np.concatenate([t.indices << 2 | int(kind) << 1 | t.odd for kind, t in ties])
    codes.sort()
    distances = np.diff(codes >> 2, prepend=0)
    return pack_varint(len(codes)) + pack_varints(distances << 2 | codes & 3)


def take_ties(data: bytes, start: int, values: int) -> tuple[dict[TieKind, Ties], int]:
    """Parse a list of ties at ``start``.

    Args:
        data: a latents stream.
        start: where the list begins.
        values: how many values of y there are at most: indices lie below.

    Returns:
        The ties of each kind, and the position after the list.

    Raises:
        TruncatedFile, CorruptFile: the list is cut off, longer than the image allows, out of order or range.
    """
    values = min(values, _MOST_VALUES)
    count, at = take_varint(data, start)
    if count > min(len(data) - at, len(TieKind) * values):
        raise CorruptFile(
            f"The file claims {count} near-ties, with {len(data) - at} bytes left and at most "
            f"{len(TieKind) * values} roundings; copy or download it again."
        )
    codes, at = take_varints(data, at, count)
    distances = codes >> 2
    if (distances >= values).any():
        raise CorruptFile("A near-tie of the file lies outside the image; copy or download it again.")
    indices = np.cumsum(distances)  # cannot overflow before the first place that lies outside
    if ((indices < 0) | (indices >= values)).any():
        raise CorruptFile("A near-tie of the file lies outside the image; copy or download it again.")
    kinds, odd = codes >> 1 & 1, codes & 1
    if (np.diff(2 * indices + kinds) <= 0).any():
        raise CorruptFile("The near-ties of the file are not in order; copy or download it again.")
    return {kind: Ties(indices[kinds == kind], odd[kinds == kind]) for kind in TieKind}, at
