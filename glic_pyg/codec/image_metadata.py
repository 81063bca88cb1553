"""What Pillow knows about an opened image beside its pixels: EXIF, ICC, XMP, orientation, and the rest."""

from __future__ import annotations

from PIL import Image

from glic_pyg.codec.metadata import MAX_METADATA_BYTES, Metadata, orientation_of, reset_orientation

__all__ = ["SIDEWAYS", "dropped_facts", "read_metadata", "tiff_facts", "upright"]

_EXIF_PREFIX = b"Exif\0\0"
_STORAGE_TAGS = frozenset(
    tag
    for first, last in (
        (254, 266), (273, 274), (277, 281), (284, 284), (288, 289), (292, 293), (317, 317), (320, 325),
        (330, 330), (332, 334), (338, 343), (347, 347), (512, 521), (529, 532), (700, 700), (34675, 34675),
    )
    for tag in range(first, last + 1)
)  # fmt: skip
"""Tags of a TIFF's own directory that tell how its pixels are stored, or travel on their own; the pixels are
upright."""
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
    """Turn or flip the image so that its orientation is 1."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def dropped_facts(image: Image.Image) -> tuple[str, ...]:
    """Name what a ``.glic`` file has no place for (comments, text chunks, gamma, resolution)."""
    keys = {str(key) for key in image.info} - _KEPT_OR_STRUCTURAL
    if "dpi" in image.info and image.info.get("jfif_unit", 1) != 0:
        keys.add("dpi")
    if "srgb" in image.info:
        keys.discard("gamma")  # a PNG that declares sRGB repeats itself there
    return (f"Not kept: {', '.join(sorted(keys))}.",) if keys else ()


def _exif_block(image: Image.Image) -> bytes | None:
    """The EXIF block as it stands in the file, or rebuilt where Pillow keeps it in another form.

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
    """Bytes as they are: a TIFF may hold any type of number in their place.

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
    """The part of a directory that says something about the picture rather than about its storage."""
    facts = Image.Exif()
    for tag in source:
        if tag in _SUB_DIRECTORIES:
            facts.get_ifd(tag).update(source.get_ifd(tag))
            facts[tag] = facts.get_ifd(tag)
        elif tag not in _STORAGE_TAGS:
            facts[tag] = source[tag]
    return facts
