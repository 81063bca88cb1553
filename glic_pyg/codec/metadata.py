"""EXIF, ICC profile and XMP: kept byte for byte, but for the orientation, which is baked into the pixels."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from struct import Struct

from glic_pyg.errors import CorruptFile, UnsupportedImage

__all__ = [
    "MAX_METADATA_BYTES",
    "Metadata",
    "deflate",
    "exif_orientation",
    "inflate",
    "orientation_of",
    "profile_space",
    "reset_orientation",
]

MAX_METADATA_BYTES = 1 << 24
"""16 MiB of one kind of metadata is more than any camera writes."""
_ORIENTATION = 0x0112
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)([1-8])""")
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}
"""Types of a directory's entries that hold integers, and how ``struct`` calls them."""


@dataclass(frozen=True)
class Metadata:
    """What travels beside the pixels; ``None`` where the picture has none.

    Attributes:
        exif: a TIFF block, without the leading ``Exif\\0\\0``.
        icc: an ICC profile.
        xmp: an XMP packet.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None


def deflate(payload: bytes) -> bytes:
    """Compress one block of metadata (raw DEFLATE).

    Raises:
        UnsupportedImage: the block is larger than a reader would accept.
    """
    if len(payload) > MAX_METADATA_BYTES:
        raise UnsupportedImage(
            f"The picture has {len(payload)} bytes of one kind of metadata and the limit is "
            f"{MAX_METADATA_BYTES}; remove that metadata first."
        )
    coder = zlib.compressobj(9, wbits=-15)
    return coder.compress(payload) + coder.flush()


def inflate(data: bytes) -> bytes:
    """Undo :func:`deflate`, never producing more than 16 MiB.

    Raises:
        CorruptFile: the data are damaged or too large.
    """
    decoder = zlib.decompressobj(wbits=-15)
    try:
        payload = decoder.decompress(data, MAX_METADATA_BYTES)
    except zlib.error:
        raise CorruptFile("A metadata stream is damaged.") from None
    if not decoder.eof or decoder.unconsumed_tail or decoder.unused_data:
        raise CorruptFile("A metadata stream is damaged or unreasonably large.")
    return payload


def exif_orientation(exif: bytes | None) -> int:
    """Return the orientation (1 to 8) an EXIF block asks for; 1 where it says nothing readable."""
    entry = _orientation_entry(exif)
    if exif is None or entry is None:
        return 1
    value = int(entry[1].unpack_from(exif, entry[0])[0])
    return value if 1 <= value <= 8 else 1


def orientation_of(metadata: Metadata) -> int:
    """Return the orientation (1 to 8) that EXIF asks for, or XMP where EXIF says nothing about it."""
    if _orientation_entry(metadata.exif) is not None:
        return exif_orientation(metadata.exif)
    found = _XMP_ORIENTATION.search(metadata.xmp or b"")
    return int(found[2]) if found else 1


def profile_space(icc: bytes | None) -> str | None:
    """Name of the colours that an ICC profile describes, ``"RGB"``, ``"GRAY"``, ``"Lab"``, ``"CMYK"``, ...

    ``None`` for what is no ICC profile.
    """
    if icc is None or icc[36:40] != b"acsp":
        return None
    return icc[16:20].decode("ascii", errors="replace").strip()


def reset_orientation(metadata: Metadata) -> Metadata:
    """Return the metadata with the orientation tags at 1, for pixels that are upright; all else is kept."""
    exif, xmp = metadata.exif, metadata.xmp
    entry = _orientation_entry(exif)
    if exif is not None and entry is not None:
        position, value = entry
        exif = exif[:position] + value.pack(1) + exif[position + value.size :]
    if xmp is not None:
        xmp = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    return replace(metadata, exif=exif, xmp=xmp)


def _orientation_entry(exif: bytes | None) -> tuple[int, Struct] | None:
    """Find the orientation's value in the first directory: its position and how to read it."""
    if exif is None or len(exif) < 8 or exif[:4] not in (b"II*\0", b"MM\0*"):
        return None
    order = "<" if exif[:2] == b"II" else ">"
    short, long, head = Struct(order + "H"), Struct(order + "I"), Struct(order + "HHI")
    start = long.unpack_from(exif, 4)[0]
    if start + 2 > len(exif):
        return None
    for i in range(short.unpack_from(exif, start)[0]):
        at = start + 2 + 12 * i
        if at + 12 > len(exif):
            return None
        tag, kind, count = head.unpack_from(exif, at)
        if (tag, count) == (_ORIENTATION, 1) and kind in _INTEGERS:
            return at + 8, Struct(order + _INTEGERS[kind])
    return None
