"""The ``.glic`` container: magic, version, header, directory of streams, checksums. Knows no torch.

Everything is checked against the bytes at hand before anything is allocated for it, so that a hostile file
costs no more than reading it.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from glic_pyg.codec.errors import CorruptFile, ImageTooLarge, NotAGlicFile, TruncatedFile, UnsupportedVersion
from glic_pyg.codec.header import FIXED_RATE, VARIABLE_RATE, Header, pack_header, take_header
from glic_pyg.codec.varint import pack_varint, take_varint

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "MAGIC",
    "VERSIONS",
    "Container",
    "Stream",
    "check_pixels",
    "read_container",
    "write_container",
]

MAGIC = b"GLIC"
VERSIONS = (FIXED_RATE, VARIABLE_RATE)
DEFAULT_MAX_PIXELS = 1 << 26  # 67 megapixels
_MAX_STREAMS = 32
_IGNORABLE = 0x80


class Stream(enum.IntEnum):
    """Kinds of stream. A reader that does not know a kind below 128 must refuse the file."""

    LATENTS = 1
    ALPHA = 2
    EXIF = 3
    ICC = 4
    XMP = 5


@dataclass(frozen=True)
class Container:
    """A parsed file.

    Attributes:
        header: the fields before the streams.
        streams: the payload of each stream, checksums verified.
        ignored: kinds of ignorable streams this reader does not know.
        size: bytes of the whole file.
    """

    header: Header
    streams: Mapping[Stream, bytes]
    ignored: tuple[int, ...]
    size: int


def check_pixels(width: int, height: int, max_pixels: int | None) -> None:
    """Refuse a picture of more than ``max_pixels`` pixels.

    Raises:
        ImageTooLarge: with the size and how to allow it.
    """
    if max_pixels is not None and width * height > max_pixels:
        raise ImageTooLarge(
            f"The picture has {width}x{height} = {width * height} pixels and the limit is {max_pixels}; "
            "raise it with --max-pixels (max_pixels=) if you trust the file and have the memory."
        )


def write_container(header: Header, streams: Mapping[Stream, bytes]) -> bytes:
    """Return the bytes of a file that holds ``streams`` in the order of their kinds."""
    kinds = sorted(streams)
    directory = b"".join(
        bytes([kind]) + pack_varint(len(streams[kind])) + _crc(streams[kind]) for kind in kinds
    )
    head = MAGIC + bytes([header.version]) + pack_header(header) + bytes([len(kinds)]) + directory
    return head + _crc(head) + b"".join(streams[kind] for kind in kinds)


def read_container(data: bytes, *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Container:
    """Parse and verify a whole file.

    Args:
        data: the file's bytes.
        max_pixels: refuse pictures with more pixels; ``None`` allows any (``glic info``).

    Raises:
        NotAGlicFile, UnsupportedVersion, TruncatedFile, CorruptFile, ImageTooLarge: see ``errors``.
    """
    version = _take_version(data)
    header, at = take_header(data, len(MAGIC) + 1, version)
    directory, at = _take_directory(data, at)
    if data[at : at + 4] != _crc(data[:at]):
        if len(data) < at + 4:
            raise TruncatedFile("The file ends inside its header; copy or download it again.")
        raise CorruptFile("The header's checksum is wrong: the file was damaged; copy or download it again.")
    check_pixels(header.width, header.height, max_pixels)
    streams, ignored = _split(data, at + 4, directory)
    if Stream.LATENTS not in streams or header.alpha != (Stream.ALPHA in streams):
        raise CorruptFile("The file's header announces a stream that is missing, or the other way round.")
    return Container(header, streams, ignored, len(data))


def _crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def _take_version(data: bytes) -> int:
    if data[: len(MAGIC)] != MAGIC:
        if len(data) < len(MAGIC) and MAGIC.startswith(data) and data:
            raise TruncatedFile("The file ends inside its first four bytes; copy or download it again.")
        raise NotAGlicFile("This is not a .glic file (it does not begin with 'GLIC').")
    if len(data) == len(MAGIC):
        raise TruncatedFile("The file ends before its version; copy or download it again.")
    version = data[len(MAGIC)]
    if version not in VERSIONS:
        raise UnsupportedVersion(
            f"The file has format version {version} and this program reads versions up to {VERSIONS[-1]}; "
            "update glic-pyg."
        )
    return version


def _take_directory(data: bytes, at: int) -> tuple[list[tuple[int, int, bytes]], int]:
    """Read the rows (kind, length, checksum) of the directory at ``at``."""
    if at >= len(data):
        raise TruncatedFile("The file ends inside its header; copy or download it again.")
    count, at = data[at], at + 1
    if count > _MAX_STREAMS:
        raise CorruptFile(f"The file claims {count} streams; at most {_MAX_STREAMS} make sense.")
    rows = []
    for _ in range(count):
        if at >= len(data):
            raise TruncatedFile("The file ends inside its header; copy or download it again.")
        kind = data[at]
        length, at = take_varint(data, at + 1)
        rows.append((kind, length, data[at : at + 4]))
        at += 4
    if any(a >= b for (a, *_), (b, *_) in pairwise(rows)):
        raise CorruptFile("The file's streams are not in order, or one is there twice.")
    return rows, at


def _split(
    data: bytes, at: int, rows: list[tuple[int, int, bytes]]
) -> tuple[dict[Stream, bytes], tuple[int, ...]]:
    """Cut the payloads out of ``data`` and verify each checksum."""
    end = at + sum(length for _, length, _ in rows)
    if end > len(data):
        raise TruncatedFile(f"The file has {len(data)} of its {end} bytes; copy or download it again.")
    if end < len(data):
        raise CorruptFile(f"The file goes on for {len(data) - end} bytes after its last stream.")
    streams: dict[Stream, bytes] = {}
    ignored = []
    for kind, length, crc in rows:
        payload, at = data[at : at + length], at + length
        if crc != _crc(payload):
            raise CorruptFile(f"The checksum of the {_name(kind)} stream is wrong: the file was damaged.")
        if kind in Stream.__members__.values():
            streams[Stream(kind)] = payload
        elif kind & _IGNORABLE:
            ignored.append(kind)
        else:
            raise UnsupportedVersion(f"The file needs a stream of kind {kind}; update glic-pyg.")
    return streams, tuple(ignored)


def _name(kind: int) -> str:
    return Stream(kind).name.lower() if kind in Stream.__members__.values() else f"unknown ({kind})"
