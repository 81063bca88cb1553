"""What Pillow knows about an opened image beside its pixels: EXIF, ICC, XMP, orientation, and the rest."""

from __future__ import annotations

import re

from PIL import Image

from glic_pyg.codec.metadata import Metadata, exif_orientation, reset_orientation

__all__ = ["dropped_facts", "read_metadata", "tiff_facts", "upright"]

_EXIF_PREFIX = b"Exif\0\0"
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_STORAGE_TAGS = frozenset(
    tag
    for first, last in (
        (254, 266), (273, 273), (277, 281), (284, 284), (288, 289), (292, 293), (317, 317), (320, 325),
        (330, 330), (332, 334), (338, 343), (347, 347), (512, 521), (529, 532), (700, 700), (34675, 34675),
    )
    for tag in range(first, last + 1)
)  # fmt: skip
"""Tags of a TIFF's own directory that tell how its pixels are stored, and those that travel on their own."""
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


def read_metadata(image: Image.Image) -> tuple[Metadata, int]:
    """Return the metadata of a loaded image, orientation tags reset to 1, and the orientation they had.

    Pillow turns TIFF images itself while loading, so their orientation is 1 here.
    """
    exif = _exif_block(image)
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    xmp = xmp.encode("utf-8") if isinstance(xmp, str) else xmp
    metadata = Metadata(exif or None, image.info.get("icc_profile") or None, xmp or None)
    orientation = exif_orientation(metadata.exif)
    if orientation == 1 and metadata.xmp and (match := _XMP_ORIENTATION.search(metadata.xmp)):
        orientation = int(match[1])
    return reset_orientation(metadata), 1 if image.format == "TIFF" else orientation


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
    """The EXIF block as it stands in the file, or rebuilt where Pillow keeps it in another form."""
    raw = image.info.get("exif")
    if raw:
        return bytes(raw).removeprefix(_EXIF_PREFIX)
    if image.format == "TIFF":
        return _tiff_block(image)
    if "Raw profile type exif" in image.info:
        return image.getexif().tobytes().removeprefix(_EXIF_PREFIX)
    return None


def _tiff_block(image: Image.Image) -> bytes | None:
    facts = tiff_facts(image.getexif())
    return facts.tobytes().removeprefix(_EXIF_PREFIX) if len(facts) else None


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
