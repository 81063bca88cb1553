"""EXIF, ICC profile and XMP: read from Pillow images, stored byte for byte but for the orientation.

The orientation is applied to the pixels, and its tags reset to 1.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from struct import Struct

from PIL import Image

from glic_pyg.errors import CorruptFile, UnsupportedImage

__all__ = [
    "MAX_METADATA_BYTES",
    "SIDEWAYS",
    "Metadata",
    "deflate",
    "dropped_facts",
    "exif_orientation",
    "inflate",
    "orientation_of",
    "profile_space",
    "read_metadata",
    "reset_orientation",
    "tiff_facts",
    "upright",
]


MAX_METADATA_BYTES = 1 << 24
"""Limit for each kind of metadata: 16 MiB, more than any camera writes."""
_ORIENTATION = 0x0112
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)([1-8])""")
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}
"""Types of a directory's entries that hold integers, and their ``struct`` formats."""


@dataclass(frozen=True)
class Metadata:
    """Metadata blocks of an image; ``None`` for those it does not have.

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
            f"The image has {len(payload)} bytes of one kind of metadata and the limit is "
            f"{MAX_METADATA_BYTES}; remove that metadata first."
        )
    coder = zlib.compressobj(9, wbits=-15)
    return coder.compress(payload) + coder.flush()


def inflate(data: bytes) -> bytes:
    """Decompress one block of metadata to at most 16 MiB.

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
    """Return the orientation (1 to 8) that an EXIF block states; 1 where there is none that can be read."""
    entry = _orientation_entry(exif)
    if exif is None or entry is None:
        return 1
    value = int(entry[1].unpack_from(exif, entry[0])[0])
    return value if 1 <= value <= 8 else 1


def orientation_of(metadata: Metadata) -> int:
    """Return the orientation (1 to 8) that EXIF states, or XMP where EXIF has none."""
    if _orientation_entry(metadata.exif) is not None:
        return exif_orientation(metadata.exif)
    found = _XMP_ORIENTATION.search(metadata.xmp or b"")
    return int(found[2]) if found else 1


def profile_space(icc: bytes | None) -> str | None:
    """Return the colour space of an ICC profile, ``"RGB"``, ``"GRAY"``, ``"Lab"``, ``"CMYK"``, ...

    ``None`` for anything but an ICC profile.
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


_EXIF_PREFIX = b"Exif\0\0"
_STORAGE_TAGS = frozenset(
    tag
    for first, last in (
        (254, 266), (273, 274), (277, 281), (284, 284), (288, 289), (292, 293), (317, 317), (320, 325),
        (330, 330), (332, 334), (338, 343), (347, 347), (512, 521), (529, 532), (700, 700), (34675, 34675),
    )
    for tag in range(first, last + 1)
)  # fmt: skip
"""Tags of a TIFF's own directory that describe the storage of its pixels (which are upright here), and those
stored elsewhere."""
_SUB_DIRECTORIES = (0x8769, 0x8825)  # EXIF and GPS

_KEPT_OR_STRUCTURAL = frozenset({
    "exif", "icc_profile", "xmp", "XML:com.adobe.xmp", "Raw profile type exif", "transparency",
    "jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression", "adobe",
    "adobe_transform", "compression", "interlace", "version", "extension", "background", "loop", "duration",
    "timestamp", "mp", "mpoffset", "default_image", "bbox", "sizes", "dpi",
    "srgb",
})  # fmt: skip

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = frozenset({5, 6, 7, 8})
"""Orientations that swap width and height."""


def read_metadata(image: Image.Image) -> tuple[Metadata, int, tuple[str, ...]]:
    """Return the metadata of an image, orientation tags reset to 1, the orientation they had, and notes.

    What cannot be read, or is more than a ``.glic`` file can hold, is left out with a note. Pillow turns TIFF
    images itself while loading, so their orientation is 1 here.
    """
    blocks: list[bytes | None] = []
    notes = []
    for name, take in (("EXIF", _exif_block), ("ICC profile", _icc_profile), ("XMP", _xmp_packet)):
        try:
            block = take(image) or None
        except Exception:  # whatever Pillow's parsers meet in damaged data
            block = None
            notes.append(f"The {name} cannot be read and is left out.")
        if block is not None and len(block) > MAX_METADATA_BYTES:
            notes.append(f"The {name} has {len(block)} bytes, more than a file can hold, and is left out.")
            block = None
        blocks.append(block)
    metadata = Metadata(*blocks)
    orientation = 1 if image.format == "TIFF" else orientation_of(metadata)
    return reset_orientation(metadata), orientation, tuple(notes)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Rotate or flip the image so that its orientation is 1."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def dropped_facts(image: Image.Image) -> tuple[str, ...]:
    """Note the facts that a ``.glic`` file cannot hold (comments, text chunks, gamma, resolution)."""
    keys = {str(key) for key in image.info} - _KEPT_OR_STRUCTURAL
    if "dpi" in image.info and image.info.get("jfif_unit", 1) != 0:
        keys.add("dpi")
    if "srgb" in image.info:
        keys.discard("gamma")  # a PNG that declares sRGB repeats itself there
    return (f"Not kept: {', '.join(sorted(keys))}.",) if keys else ()


def _exif_block(image: Image.Image) -> bytes | None:
    """Return the EXIF block as in the file, or rebuilt where Pillow keeps it in another form.

    Raises:
        Exception: of any kind, where it is no TIFF block.
    """
    block: bytes | None = None
    if raw := image.info.get("exif"):
        block = bytes(raw)
    elif image.format == "TIFF":
        block = _tiff_block(image)
    elif "Raw profile type exif" in image.info:
        block = image.getexif().tobytes()
    while block and block.startswith(_EXIF_PREFIX):  # some writers put it there twice
        block = block.removeprefix(_EXIF_PREFIX)
    if block and not block.startswith((b"II*\0", b"MM\0*")):
        raise ValueError("no TIFF block")
    return block


def _icc_profile(image: Image.Image) -> bytes | None:
    profile = image.info.get("icc_profile")
    return None if profile is None else _as_bytes(profile)


def _xmp_packet(image: Image.Image) -> bytes | None:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return packet.encode("utf-8") if isinstance(packet, str) else packet and _as_bytes(packet)


def _as_bytes(value: object) -> bytes:
    """Check for bytes: TIFF tags may hold any type of number instead.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"{type(value).__name__} in place of bytes")
    return bytes(value)


def _tiff_block(image: Image.Image) -> bytes | None:
    facts = tiff_facts(image.getexif())
    return facts.tobytes() if len(facts) else None


def tiff_facts(source: Image.Exif) -> Image.Exif:
    """Copy the tags of a directory that describe the image rather than its storage."""
    facts = Image.Exif()
    for tag in source:
        if tag in _SUB_DIRECTORIES:
            facts.get_ifd(tag).update(source.get_ifd(tag))
            facts[tag] = facts.get_ifd(tag)
        elif tag not in _STORAGE_TAGS:
            facts[tag] = source[tag]
    return facts
