"""The ``.glic`` container: magic, version, header, directory of streams, checksums. Knows no torch.

Everything is checked against the bytes at hand before anything is allocated for it, so that a hostile file
costs no more than reading it, and :func:`read_glic` reads no more of it than its header may announce.
"""

from __future__ import annotations

import enum
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

from glic_pyg.codec.header import (
    ANY_SIZE,
    FIXED_RATE,
    VARIABLE_RATE,
    Header,
    pack_header,
    pack_varint,
    take_header,
    take_varint,
)
from glic_pyg.errors import (
    BadArgument,
    CorruptFile,
    GlicError,
    ImageTooLarge,
    NotAGlicFile,
    TruncatedFile,
    UnsupportedVersion,
)
from glic_pyg.files import read_up_to

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "MAGIC",
    "VERSIONS",
    "Container",
    "Stream",
    "check_pixels",
    "glic_bytes",
    "read_container",
    "read_glic",
    "unreadable",
    "write_container",
]

AnySource = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO

MAGIC = b"GLIC"
VERSIONS = (FIXED_RATE, VARIABLE_RATE, ANY_SIZE)
DEFAULT_MAX_PIXELS = 1 << 26  # 67 megapixels
_MAX_STREAMS = 32
_MAX_HEAD = 1024  # 594 bytes: the longest name, numbers of 9 bytes and 32 streams
_MAX_METADATA = (1 << 24) + (1 << 16)  # 16 MiB that DEFLATE cannot make smaller
_MOST_BYTES_PER_PIXEL = 32  # of latents: 900 channels of which every value is an escape and two near-ties
_LARGEST_PADDING = 255
_IGNORABLE = 0x80
_FOREIGN = (
    (b"\x89PNG", "a PNG image; glic encode makes a .glic file of it"),
    (b"\xff\xd8\xff", "a JPEG image; glic encode makes a .glic file of it"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with git lfs pull"),
    (b"<", "a web page or XML; the download went wrong"),
    (b"\0\0\0\0", "zeros; the file was never written, copy or download it again"),
)
"""Common kinds of other files, by their first bytes."""


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
    """Refuse an image of more than ``max_pixels`` pixels.

    Raises:
        ImageTooLarge: with the size and how to allow it.
    """
    if max_pixels is not None and width * height > max_pixels:
        raise ImageTooLarge(
            f"The image has {width}x{height} = {width * height} pixels and the limit is {max_pixels}; "
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


def read_glic(source: str | Path | BinaryIO, *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> bytes:
    """Read the bytes of a file, for :func:`read_container`: its header first, the rest if that is valid.

    Args:
        source: a path, or a binary stream, seekable or not.
        max_pixels: refuse images with more pixels; ``None`` allows any.

    Raises:
        NotAGlicFile, UnsupportedVersion, TruncatedFile, CorruptFile, ImageTooLarge: see ``errors``.
    """
    if isinstance(source, str | Path):
        with open(source, "rb") as file:
            return read_glic(file, max_pixels=max_pixels)
    data = read_up_to(source, _MAX_HEAD)
    size = _take_head(data, max_pixels).size
    return data + read_up_to(source, size + 1 - len(data))  # one byte more, to notice trailing data


def glic_bytes(source: AnySource, *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> bytes:
    """Return the bytes of a file given as bytes, path or stream.

    Raises:
        GlicFileError, ImageTooLarge: see :func:`read_glic`.
        GlicError: the system cannot read the path.
        BadArgument: it is given in another way.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        try:
            return read_glic(Path(source), max_pixels=max_pixels)
        except (OSError, ValueError) as error:
            raise unreadable(source, error) from error
    if hasattr(source, "read"):
        return read_glic(source, max_pixels=max_pixels)
    raise BadArgument(f"A .glic file is given as its bytes or its path, not as {type(source).__name__}.")


def unreadable(path: str | os.PathLike[str], error: Exception) -> GlicError:
    """Turn the system's reason for not reading a file into a sentence; keep an error of ours."""
    if isinstance(error, GlicError):
        return error
    reason = getattr(error, "strerror", None) or str(error)
    return GlicError(f"{os.fspath(path)!r} cannot be read: {reason.rstrip('.')}.")


def read_container(data: bytes, *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Container:
    """Parse and verify a whole file.

    Args:
        data: the file's bytes.
        max_pixels: refuse images with more pixels; ``None`` allows any (``glic info``).

    Raises:
        NotAGlicFile, UnsupportedVersion, TruncatedFile, CorruptFile, ImageTooLarge: see ``errors``.
    """
    head = _take_head(data, max_pixels)
    streams, ignored = _split(data, head)
    if Stream.LATENTS not in streams or head.header.alpha != (Stream.ALPHA in streams):
        raise CorruptFile("The file's header announces a stream that is missing, or the other way round.")
    return Container(head.header, streams, ignored, len(data))


class _Row(NamedTuple):
    """A stream in the directory."""

    kind: int
    length: int
    crc: bytes


class _Head(NamedTuple):
    """Verified header and directory: everything before the payloads.

    Attributes:
        header: the fields.
        directory: a row for each stream.
        start: where the payloads begin.
        size: bytes of the whole file.
    """

    header: Header
    directory: list[_Row]
    start: int
    size: int


def _take_head(data: bytes, max_pixels: int | None) -> _Head:
    version = _take_version(data)
    header, at = take_header(data, len(MAGIC) + 1, version)
    directory, at = _take_directory(data, at)
    if data[at : at + 4] != _crc(data[:at]):
        if len(data) < at + 4:
            raise TruncatedFile("The file ends inside its header; copy or download it again.")
        raise CorruptFile("The header's checksum is wrong: the file was damaged; copy or download it again.")
    check_pixels(header.width, header.height, max_pixels)
    for row in directory:
        if row.length > _largest_payload(row.kind, header):
            raise CorruptFile(
                f"The file claims {row.length} bytes for its {_name(row.kind)} stream, more than an image of "
                f"{header.width}x{header.height} pixels can need; copy or download it again."
            )
    return _Head(header, directory, at + 4, at + 4 + sum(row.length for row in directory))


def _largest_payload(kind: int, header: Header) -> int:
    """Upper bound on the bytes of a stream, for any image of this size and any weights."""
    if kind == Stream.LATENTS:
        padded = (header.width + _LARGEST_PADDING) * (header.height + _LARGEST_PADDING)
        return _MOST_BYTES_PER_PIXEL * padded
    if kind == Stream.ALPHA:
        pixels = header.width * header.height
        return pixels + pixels // 50 + 1024
    return _MAX_METADATA


def _crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def _take_version(data: bytes) -> int:
    if not data:
        raise TruncatedFile("The file is empty; copy or download it again.")
    if data[: len(MAGIC)] != MAGIC:
        if len(data) < len(MAGIC) and MAGIC.startswith(data):
            raise TruncatedFile("The file ends inside its first four bytes; copy or download it again.")
        what = next((text for start, text in _FOREIGN if data.startswith(start)), "")
        reason = f"it is {what}" if what else "it does not begin with 'GLIC'"
        raise NotAGlicFile(f"This is not a .glic file: {reason}.")
    if len(data) == len(MAGIC):
        raise TruncatedFile("The file ends before its version; copy or download it again.")
    version = data[len(MAGIC)]
    if version < VERSIONS[0]:
        raise CorruptFile(f"There is no format version {version}: the file was damaged; copy it again.")
    if version not in VERSIONS:
        raise UnsupportedVersion(
            f"The file has format version {version} and this program reads versions up to {VERSIONS[-1]}; "
            "update glic-pyg."
        )
    return version


def _take_directory(data: bytes, at: int) -> tuple[list[_Row], int]:
    """Read the rows of the directory at ``at``."""
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
        rows.append(_Row(kind, length, data[at : at + 4]))
        at += 4
    if any(a.kind >= b.kind for a, b in pairwise(rows)):
        raise CorruptFile("The file's streams are not in order, or one is there twice.")
    return rows, at


def _split(data: bytes, head: _Head) -> tuple[dict[Stream, bytes], tuple[int, ...]]:
    """Cut the payloads out of ``data`` and verify each checksum."""
    if head.size > len(data):
        raise TruncatedFile(f"The file has {len(data)} of its {head.size} bytes; copy or download it again.")
    if head.size < len(data):
        raise CorruptFile(f"The file goes on after its last stream, which ends at byte {head.size}.")
    at, streams = head.start, dict[Stream, bytes]()
    ignored = []
    for kind, length, crc in head.directory:
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
