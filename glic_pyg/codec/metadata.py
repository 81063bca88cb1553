"""EXIF, ICC profile and XMP: kept byte for byte, but for the orientation, which is baked into the pixels."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from struct import Struct

from glic_pyg.codec.errors import CorruptFile, UnsupportedImage

__all__ = ["Metadata", "deflate", "exif_orientation", "inflate", "reset_orientation"]

_MAX_BYTES = 1 << 24  # 16 MiB of one kind of metadata is more than any camera writes
_ORIENTATION = 0x0112
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:="|>))[2-8]')


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
    if len(payload) > _MAX_BYTES:
        raise UnsupportedImage(
            f"The picture has {len(payload)} bytes of one kind of metadata and {_MAX_BYTES} is the limit; "
            "remove that metadata first."
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
        payload = decoder.decompress(data, _MAX_BYTES)
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


def reset_orientation(metadata: Metadata) -> Metadata:
    """Return the metadata with the orientation tags at 1, for pixels that are upright; all else is kept."""
    exif, xmp = metadata.exif, metadata.xmp
    entry = _orientation_entry(exif)
    if exif is not None and entry is not None:
        position, short = entry
        exif = exif[:position] + short.pack(1) + exif[position + short.size :]
    if xmp is not None:
        xmp = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    return replace(metadata, exif=exif, xmp=xmp)


def _orientation_entry(exif: bytes | None) -> tuple[int, Struct] | None:
    """Find the orientation's value in the first directory: its position and how to read it."""
    if exif is None or len(exif) < 8 or exif[:4] not in (b"II*\0", b"MM\0*"):
        return None
    order = "<" if exif[:2] == b"II" else ">"
    short, long, entry = Struct(order + "H"), Struct(order + "I"), Struct(order + "HHI")
    start = long.unpack_from(exif, 4)[0]
    if start + 2 > len(exif):
        return None
    for i in range(short.unpack_from(exif, start)[0]):
        at = start + 2 + 12 * i
        if at + 12 > len(exif):
            return None
        if entry.unpack_from(exif, at) == (_ORIENTATION, 3, 1):
            return at + 8, short
    return None
