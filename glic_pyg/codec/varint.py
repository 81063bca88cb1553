"""Unsigned integers of any size in as few bytes as they need (LEB128: 7 bits a byte, low bits first)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glic_pyg.errors import CorruptFile, TruncatedFile

__all__ = ["pack_varint", "pack_varints", "take_varint", "take_varints"]

_MAX_BYTES = 9  # 63 bits: more than any field of the format may hold
_TOO_LONG = "A number in the file is longer than any field of the format."
_PADDED = "A number in the file is padded with zeros, which no encoder writes."


def pack_varint(value: int) -> bytes:
    """Return ``value`` >= 0 as LEB128 bytes."""
    if not 0 <= value < 1 << (7 * _MAX_BYTES):
        raise ValueError(f"{value} does not fit a varint of {_MAX_BYTES} bytes")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def pack_varints(values: NDArray[np.int64]) -> bytes:
    """Return the bytes of ``values`` (n,) one after the other, each as :func:`pack_varint` writes it."""
    return b"".join(map(pack_varint, values.tolist()))


def take_varint(data: bytes, start: int) -> tuple[int, int]:
    """Read one varint of ``data`` at ``start``.

    Returns:
        The value and the position after it.

    Raises:
        TruncatedFile: the bytes end inside the number.
        CorruptFile: the number is longer than any field can be, or is padded with zeros.
    """
    value = 0
    for i in range(_MAX_BYTES):
        if start + i >= len(data):
            raise TruncatedFile("The file ends inside its header; copy or download it again.")
        byte = data[start + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            if byte == 0 and i > 0:
                raise CorruptFile(_PADDED)
            return value, start + i + 1
    raise CorruptFile(_TOO_LONG)


def take_varints(data: bytes, start: int, count: int) -> tuple[NDArray[np.int64], int]:
    """Read ``count`` varints of ``data`` from ``start`` on, in time and memory proportional to their bytes.

    Returns:
        The values, int64 (count,), and the position after them.

    Raises:
        TruncatedFile, CorruptFile: as for :func:`take_varint`.
    """
    window = np.frombuffer(data, np.uint8)[start : start + count * _MAX_BYTES]
    ends = np.flatnonzero(window < 0x80)[:count]
    lengths = np.diff(ends, prepend=-1)
    unfinished = len(window) - int(lengths.sum()) if len(ends) < count else 0
    if max(unfinished + 1, int(lengths.max(initial=0))) > _MAX_BYTES:
        raise CorruptFile(_TOO_LONG)
    if len(ends) < count:
        raise TruncatedFile("The file ends inside a list of numbers; copy or download it again.")
    if ((window[ends] == 0) & (lengths > 1)).any():
        raise CorruptFile(_PADDED)
    values, starts = np.zeros(count, np.int64), ends - lengths + 1
    for i in range(int(lengths.max(initial=0))):
        longer = lengths > i
        values[longer] |= (window[starts[longer] + i] & 0x7F).astype(np.int64) << 7 * i
    return values, start + (int(ends[-1]) + 1 if count else 0)
