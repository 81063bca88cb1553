"""The header of a ``.glic`` file, as data: one table that writer, reader and documentation follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from glic_pyg.codec.errors import CorruptFile, TruncatedFile
from glic_pyg.codec.varint import pack_varint, take_varint

__all__ = ["FIELDS", "HASH_BYTES", "SOURCE_MODES", "Field", "Header", "pack_header", "take_header"]

HASH_BYTES = 8
_MAX_NAME = 100

SOURCE_MODES = (
    "RGB", "RGBA", "RGBX", "RGBa", "L", "LA", "La", "1", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV",
    "I;16", "RGB;16", "RGBA;16", "LA;16", "I",
)  # fmt: skip
"""Modes a source picture can have had (Pillow's names; ``;16`` was reduced on request). Only append."""


@dataclass(frozen=True)
class Header:
    """What a reader must know before it touches a stream.

    Attributes:
        model: name of the weights, 1 to 100 characters.
        weights_hash: the first 8 bytes of the weights' SHA-256.
        width, height: of the picture, in pixels, before padding.
        grey: the picture comes back with one colour channel.
        alpha: the picture has an alpha stream.
        source_mode: what the picture was before it was converted, one of ``SOURCE_MODES``.
        latents_crc: CRC-32 of the decoded latents (see ``agreement``).
    """

    model: str
    weights_hash: bytes
    width: int
    height: int
    grey: bool
    alpha: bool
    source_mode: str
    latents_crc: int


@dataclass(frozen=True)
class Field:
    """One row of the table: an attribute of :class:`Header` and its bytes."""

    name: str
    layout: str
    meaning: str
    pack: Callable[[Any], bytes]
    take: Callable[[bytes, int], tuple[Any, int]]


def _take_bytes(data: bytes, start: int, count: int) -> tuple[bytes, int]:
    if start + count > len(data):
        raise TruncatedFile("The file ends inside its header; copy or download it again.")
    return data[start : start + count], start + count


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
        raise CorruptFile(f"The file claims a side of {value} pixels, which no picture has.")
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
)  # fmt: skip


def pack_header(header: Header) -> bytes:
    """Return the fields of ``header`` in the order of the table."""
    return b"".join(field.pack(getattr(header, field.name)) for field in FIELDS)


def take_header(data: bytes, start: int) -> tuple[Header, int]:
    """Read the fields at ``start``; return them and the position after them.

    Raises:
        TruncatedFile, CorruptFile: a field is cut off, or holds what no encoder writes.
    """
    values: dict[str, Any] = {}
    for field in FIELDS:
        values[field.name], start = field.take(data, start)
    return Header(**values), start


assert [field.name for field in FIELDS] == [field.name for field in fields(Header)]
