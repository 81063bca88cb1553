"""The near-ties in a file: which roundings were too close to call, and how the encoder called them."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple

from glic_pyg.codec.errors import CorruptFile
from glic_pyg.codec.varint import pack_varint, take_varint

__all__ = ["Tie", "TieKind", "pack_ties", "take_ties"]


class TieKind(enum.IntEnum):
    """What was rounded: a value to the lattice (a mean, or a finished y_hat), or a scale to a level."""

    LATTICE = 0
    LEVEL = 1


class Tie(NamedTuple):
    """One rounding that another machine might have called otherwise.

    Attributes:
        place: number of the value among all that went over the channel as y, in coding order; a call of
            ``lattice`` counts its values after the symbols before it.
        kind: what was rounded.
        odd: whether the outcome is odd; the two candidates are neighbours, so this tells which.
    """

    place: int
    kind: TieKind
    odd: bool


def pack_ties(ties: Iterable[Tie]) -> bytes:
    """Count, then per tie the distance to the place before, times 4, plus 2 * kind + odd; all varints."""
    ordered = sorted(ties)
    out, last = [pack_varint(len(ordered))], 0
    for tie in ordered:
        out.append(pack_varint((tie.place - last) << 2 | tie.kind << 1 | tie.odd))
        last = tie.place
    return b"".join(out)


def take_ties(data: bytes, start: int) -> tuple[list[Tie], int]:
    """Read a list of ties at ``start``; return it and the position after it.

    Raises:
        TruncatedFile, CorruptFile: the list is cut off or claims more ties than it has bytes.
    """
    count, at = take_varint(data, start)
    if count > len(data) - at:
        raise CorruptFile(f"The file claims {count} near-ties in {len(data) - at} bytes.")
    ties, place = [], 0
    for _ in range(count):
        code, at = take_varint(data, at)
        place += code >> 2
        ties.append(Tie(place, TieKind(code >> 1 & 1), bool(code & 1)))
    return ties, at
