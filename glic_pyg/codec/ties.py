"""The near-ties in a file: which roundings were too close to call, and how the encoder called them."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glic_pyg.codec.varint import pack_varint, pack_varints, take_varint, take_varints
from glic_pyg.errors import CorruptFile

__all__ = ["TieKind", "Ties", "pack_ties", "take_ties"]


_MOST_VALUES = 1 << 61
"""No image has as many; below it, sums of two places fit into 63 bits."""


class TieKind(enum.IntEnum):
    """What was rounded: a value to the lattice (a mean, or a finished y_hat), or a scale to a level."""

    LATTICE = 0
    LEVEL = 1


@dataclass(frozen=True)
class Ties:
    """Roundings of one kind that another machine might have called otherwise.

    Attributes:
        places: int64 (n,), rising: numbers of the values among all that are coded as y, in coding order; a
            call of ``lattice`` counts its values after the symbols before it.
        odd: int64 (n,), 1 where the outcome is odd; the two candidates are neighbours, so this says which.
    """

    places: NDArray[np.int64]
    odd: NDArray[np.int64]

    def within(self, first: int, count: int) -> Ties:
        """Those among the ``count`` values from ``first`` on, with places counted from ``first``."""
        low, high = np.searchsorted(self.places, (first, first + count))
        return Ties(self.places[low:high] - first, self.odd[low:high])


def pack_ties(ties: Sequence[tuple[TieKind, Ties]]) -> bytes:
    """Count, then per tie the distance to the place before, times 4, plus 2 * kind + odd; all varints.

    Args:
        ties: any number of lists, in any order.
    """
    if not ties:
        return pack_varint(0)
    codes = np.concatenate([t.places << 2 | int(kind) << 1 | t.odd for kind, t in ties])
    codes.sort()
    distances = np.diff(codes >> 2, prepend=0)
    return pack_varint(len(codes)) + pack_varints(distances << 2 | codes & 3)


def take_ties(data: bytes, start: int, values: int) -> tuple[dict[TieKind, Ties], int]:
    """Read a list of ties at ``start``.

    Args:
        data: a latents stream.
        start: where the list begins.
        values: how many values of y there are at most: places lie below.

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
    places = np.cumsum(distances)  # cannot overflow before the first place that lies outside
    if ((places < 0) | (places >= values)).any():
        raise CorruptFile("A near-tie of the file lies outside the image; copy or download it again.")
    kinds, odd = codes >> 1 & 1, codes & 1
    if (np.diff(2 * places + kinds) <= 0).any():
        raise CorruptFile("The near-ties of the file are not in order; copy or download it again.")
    return {kind: Ties(places[kinds == kind], odd[kinds == kind]) for kind in TieKind}, at
