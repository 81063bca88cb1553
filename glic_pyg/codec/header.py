"""The header of a ``.glic`` file, as one table that reader, writer and documentation follow, and its varints.

A varint is an unsigned integer of any size in as few bytes as it needs (LEB128: 7 bits per byte,
low bits first).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.errors import CorruptFile, TruncatedFile

__all__ = [
    "ANY_SIZE",
    "FIELDS",
    "FIXED_RATE",
    "HASH_BYTES",
    "HIGHEST_QUALITY",
    "QUALITY_STEPS",
    "SOURCE_MODES",
    "VARIABLE_RATE",
    "Field",
    "Header",
    "header_name",
    "pack_header",
    "pack_varint",
    "pack_varints",
    "take_header",
    "take_varint",
    "take_varints",
]


FIXED_RATE, VARIABLE_RATE, ANY_SIZE = 1, 2, 3
"""Versions of the format. Version 2 was that of variable-rate weights; 3 is of all, and pads images less."""

HASH_BYTES = 8
HIGHEST_QUALITY = 100.0
"""Quality of a model's last level of rate; the first has 0."""

QUALITY_STEPS = 100
"""Files store qualities in steps of 1/QUALITY_STEPS."""

_NO_QUALITY = 0xFFFF
_MAX_NAME = 100
_MAX_BYTES = 9  # 63 bits: more than any field of the format may hold
_TOO_LONG = "A number in the file is longer than any field of the format."
_PADDED = "A number in the file is padded with zeros, which no encoder writes."

SOURCE_MODES = (
    "RGB", "RGBA", "RGBX", "RGBa", "L", "LA", "La", "1", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV",
    "I;16", "RGB;16", "RGBA;16", "LA;16", "I",
)  # fmt: skip
"""Modes of source images (Pillow's names; ``;16`` was reduced on request). Only append."""


@dataclass(frozen=True)
class Header:
    """Fields of a file that come before its streams.

    Attributes:
        model: name of the weights, 1 to 100 characters.
        weights_hash: the first 8 bytes of the weights' SHA-256.
        width, height: of the image, in pixels, before padding.
        grey: the decoded image has one colour channel.
        alpha: the file has an alpha stream.
        source_mode: the mode that the source was converted from, one of ``SOURCE_MODES``.
        latents_crc: CRC-32 of the decoded latents (see ``coders``).
        quality: 0 to 100, a multiple of 1/QUALITY_STEPS; ``None`` for weights of one fixed rate.
        version: of the format.
    """

    model: str
    weights_hash: bytes
    width: int
    height: int
    grey: bool
    alpha: bool
    source_mode: str
    latents_crc: int
    quality: float | None = None
    version: int = ANY_SIZE


@dataclass(frozen=True)
class Field:
    """One row of the table: an attribute of :class:`Header`, its bytes, and the first version that has it."""

    name: str
    layout: str
    meaning: str
    pack: Callable[[Any], bytes]
    take: Callable[[bytes, int], tuple[Any, int]]
    since: int = FIXED_RATE


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
    """Return the concatenated varints of ``values`` (n,)."""
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


def _take_bytes(data: bytes, start: int, count: int) -> tuple[bytes, int]:
    if start + count > len(data):
        raise TruncatedFile("The file ends inside its header; copy or download it again.")
    return data[start : start + count], start + count


def header_name(name: str) -> str:
    """Make the name of weights fit a header: printable, and truncated where it is too long."""
    printable = "".join(character if character.isprintable() else "_" for character in name)
    return printable.encode("utf-8")[:_MAX_NAME].decode("utf-8", "ignore") or "_"


def _pack_name(name: str) -> bytes:
    raw = name.encode("utf-8")
    if not 1 <= len(raw) <= _MAX_NAME or not name.isprintable():
        raise ValueError(f"A model's name is 1 to {_MAX_NAME} printable bytes, not {name!r}.")
    return bytes([len(raw)]) + raw


def _take_name(data: bytes, start: int) -> tuple[str, int]:
    size, at = _take_bytes(data, start, 1)
    raw, at = _take_bytes(data, at, size[0])
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise CorruptFile("The model's name in the file is not text.") from None
    if not 1 <= len(raw) <= _MAX_NAME or not name.isprintable():
        raise CorruptFile(f"The model's name in the file is not 1 to {_MAX_NAME} printable bytes.")
    return name, at


def _pack_hash(value: bytes) -> bytes:
    if len(value) != HASH_BYTES:
        raise ValueError(f"The weights hash must be {HASH_BYTES} bytes, not {len(value)}.")
    return value


def _take_side(data: bytes, start: int) -> tuple[int, int]:
    value, at = take_varint(data, start)
    if not 1 <= value < 1 << 32:
        raise CorruptFile(f"The file claims a side of {value} pixels, which no image has.")
    return value, at


def _take_flag(data: bytes, start: int) -> tuple[bool, int]:
    raw, at = _take_bytes(data, start, 1)
    if raw[0] > 1:
        raise CorruptFile(f"A yes/no field of the file holds {raw[0]}.")
    return bool(raw[0]), at


def _take_mode(data: bytes, start: int) -> tuple[str, int]:
    raw, at = _take_bytes(data, start, 1)
    if raw[0] >= len(SOURCE_MODES):
        raise CorruptFile(f"The file names an unknown source mode ({raw[0]}).")
    return SOURCE_MODES[raw[0]], at


def _take_crc(data: bytes, start: int) -> tuple[int, int]:
    raw, at = _take_bytes(data, start, 4)
    return int.from_bytes(raw, "little"), at


def _pack_flag(value: bool) -> bytes:
    return bytes([value])


def _pack_quality(quality: float | None) -> bytes:
    if quality is None:
        return _NO_QUALITY.to_bytes(2, "little")
    if not 0 <= quality <= HIGHEST_QUALITY or quality != round(quality * QUALITY_STEPS) / QUALITY_STEPS:
        raise ValueError(f"A file's quality is 0 to {HIGHEST_QUALITY:g} in hundredths, not {quality}.")
    return round(quality * QUALITY_STEPS).to_bytes(2, "little")


def _take_quality(data: bytes, start: int) -> tuple[float | None, int]:
    raw, at = _take_bytes(data, start, 2)
    if int.from_bytes(raw, "little") == _NO_QUALITY:
        return None, at
    quality = int.from_bytes(raw, "little") / QUALITY_STEPS
    if quality > HIGHEST_QUALITY:
        raise CorruptFile(f"The file claims quality {quality}; the highest is {HIGHEST_QUALITY:g}.")
    return quality, at


FIELDS = (
    Field("model", "u8 length, UTF-8", "name of the weights", _pack_name, _take_name),
    Field("weights_hash", f"{HASH_BYTES} bytes", "start of the weights' SHA-256", _pack_hash,
          lambda data, at: _take_bytes(data, at, HASH_BYTES)),
    Field("width", "varint", "pixels, at least 1", pack_varint, _take_side),
    Field("height", "varint", "pixels, at least 1", pack_varint, _take_side),
    Field("grey", "u8", "1: one colour channel comes back", _pack_flag, _take_flag),
    Field("alpha", "u8", "1: there is an alpha stream", _pack_flag, _take_flag),
    Field("source_mode", "u8", "index into the list of source modes",
          lambda mode: bytes([SOURCE_MODES.index(mode)]), _take_mode),
    Field("latents_crc", "u32, little-endian", "CRC-32 of the decoded latents",
          lambda value: value.to_bytes(4, "little"), _take_crc),
    Field("quality", "u16, little-endian", "hundredths, at most 10000, or 65535: none; from version 2 on",
          _pack_quality, _take_quality, since=VARIABLE_RATE),
)  # fmt: skip


def pack_header(header: Header) -> bytes:
    """Return the fields that ``header.version`` has, in the order of the table."""
    return b"".join(
        field.pack(getattr(header, field.name)) for field in FIELDS if field.since <= header.version
    )


def take_header(data: bytes, start: int, version: int) -> tuple[Header, int]:
    """Read the fields of a version at ``start``; return them and the position after them.

    Raises:
        TruncatedFile, CorruptFile: a field is cut off, or holds what no encoder writes.
    """
    values: dict[str, Any] = {}
    for field in FIELDS:
        if field.since <= version:
            values[field.name], start = field.take(data, start)
    header = Header(**values, version=version)
    if version == VARIABLE_RATE and header.quality is None:
        raise CorruptFile("The file names no quality, which version 2 of the format always does.")
    return header, start


assert [*(field.name for field in FIELDS), "version"] == [field.name for field in fields(Header)]
