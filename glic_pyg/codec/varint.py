"""Unsigned integers of any size in as few bytes as they need (LEB128: 7 bits a byte, low bits first)."""

from __future__ import annotations

from glic_pyg.codec.errors import CorruptFile, TruncatedFile

__all__ = ["pack_varint", "take_varint"]

_MAX_BYTES = 9  # 63 bits: more than any field of the format may hold


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
                raise CorruptFile("A number in the file is padded with zeros, which no encoder writes.")
            return value, start + i + 1
    raise CorruptFile("A number in the file is longer than any field of the format.")
