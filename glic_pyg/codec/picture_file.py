"""Picture files: any that Pillow reads to a picture, and a picture to PNG, WebP, TIFF, JPEG and the like."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from PIL import Image, PngImagePlugin

from glic_pyg.codec.container import DEFAULT_MAX_PIXELS, check_pixels
from glic_pyg.codec.errors import UnsupportedImage
from glic_pyg.codec.image_metadata import tiff_facts
from glic_pyg.codec.metadata import Metadata
from glic_pyg.codec.picture import Picture
from glic_pyg.codec.pixels import picture_from_image
from glic_pyg.memory import check_memory

__all__ = ["OUTPUT_FORMATS", "OutputFormat", "read_picture", "write_picture"]

_XMP_TAG = 700
_BYTES_PER_PIXEL = 8  # at least: Pillow's four of RGB, and a copy
_PIPED_BYTES_PER_PIXEL, _PIPED_BYTES = 16, 1 << 26  # beyond, what a pipe sends is no image of so many pixels


class OutputFormat(NamedTuple):
    """How one kind of file is written.

    Attributes:
        pillow: Pillow's name of the format.
        alpha: whether it holds alpha.
        metadata: which of exif, icc and xmp it holds.
        options: keyword arguments for saving a picture with this metadata.
        colour: whether it holds more than grey.
    """

    pillow: str
    alpha: bool
    metadata: frozenset[str]
    options: Callable[[Metadata], dict[str, Any]]
    colour: bool = True


def _common(metadata: Metadata) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if metadata.exif:
        options["exif"] = b"Exif\0\0" + metadata.exif
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    return options


def _png(metadata: Metadata) -> dict[str, Any]:
    chunks = PngImagePlugin.PngInfo()
    if metadata.xmp:
        text = metadata.xmp.decode("utf-8", errors="replace")
        chunks.add_itxt("XML:com.adobe.xmp", text)
    return {**_common(metadata), "pnginfo": chunks}


def _with_xmp(metadata: Metadata, **options: Any) -> dict[str, Any]:
    return {**_common(metadata), **options, **({"xmp": metadata.xmp} if metadata.xmp else {})}


def _tiff(metadata: Metadata) -> dict[str, Any]:
    """A TIFF's own directory is where its EXIF and XMP live."""
    block = Image.Exif()
    if metadata.exif:
        block.load(b"Exif\0\0" + metadata.exif)
    facts = tiff_facts(block)
    if metadata.xmp:
        facts[_XMP_TAG] = metadata.xmp
    return {**_common(metadata), "exif": facts, "compression": "raw"}  # libtiff writes no EXIF directory


_ALL = frozenset({"exif", "icc", "xmp"})
_PNG = OutputFormat("PNG", True, _ALL, _png)
_TIFF = OutputFormat("TIFF", True, _ALL, _tiff)
_JPEG = OutputFormat("JPEG", False, _ALL, lambda m: _with_xmp(m, quality=95, subsampling=0, optimize=True))
_PPM = OutputFormat("PPM", False, frozenset(), lambda _: {})
OUTPUT_FORMATS = {
    "png": _PNG,
    "webp": OutputFormat("WEBP", True, _ALL, lambda m: _with_xmp(m, lossless=True, exact=True)),
    "tif": _TIFF,
    "tiff": _TIFF,
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "bmp": OutputFormat("BMP", False, frozenset(), lambda _: {}),
    "ppm": _PPM,
    "pgm": _PPM._replace(colour=False),
}
"""What ``glic decode`` writes, by file name extension. JPEG is the only lossy one (quality 95, 4:4:4)."""


def read_picture(
    source: bytes | str | Path | BinaryIO,
    *,
    reduce_16bit: bool = False,
    first_frame: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Picture:
    """Read a picture file of any kind Pillow knows.

    Args:
        source: the bytes of a file, its path, or a binary stream; its head is read before anything else.
        reduce_16bit, first_frame: allow these losses, see ``pixels``.
        max_pixels: refuse larger images.

    Raises:
        UnsupportedImage: no picture, a damaged one, or one that would lose something not allowed.
        ImageTooLarge, NotEnoughMemory: too many pixels; found out before they are decoded.
    """
    pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # max_pixels does this here
    try:
        with Image.open(_seekable(source, max_pixels)) as image:
            check_pixels(image.width, image.height, max_pixels)
            needed = _BYTES_PER_PIXEL * image.width * image.height
            check_memory(needed, f"An image of {image.width}x{image.height} pixels", "make it smaller first")
            return picture_from_image(image, reduce_16bit=reduce_16bit, first_frame=first_frame)
    except (Image.UnidentifiedImageError, SyntaxError):
        raise UnsupportedImage("This is not a picture that Pillow can read.") from None
    finally:
        Image.MAX_IMAGE_PIXELS = pillow_limit


def _seekable(source: bytes | str | Path | BinaryIO, max_pixels: int) -> str | Path | BinaryIO:
    """The source as Pillow wants it; of a pipe, no more than an image can have is read.

    Raises:
        UnsupportedImage: a pipe sends more.
    """
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, str | Path) or source.seekable():
        return source
    limit = _PIPED_BYTES + _PIPED_BYTES_PER_PIXEL * max_pixels
    data = source.read(limit + 1)
    if len(data) > limit:
        raise UnsupportedImage(f"More than {limit} bytes came, which is no image of {max_pixels} pixels.")
    return io.BytesIO(data)


def write_picture(picture: Picture, extension: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a picture file, and a sentence for what that kind of file cannot hold.

    Args:
        picture: what to write.
        extension: a key of ``OUTPUT_FORMATS``.

    Raises:
        UnsupportedImage: the format cannot hold the picture's alpha or colour, or the extension is unknown.
    """
    if extension not in OUTPUT_FORMATS:
        raise UnsupportedImage(
            f"No picture can be written as '.{extension}'; choose one of {', '.join(OUTPUT_FORMATS)}."
        )
    kind = OUTPUT_FORMATS[extension]
    if picture.alpha is not None and not kind.alpha:
        raise UnsupportedImage(
            f"The picture has alpha, which {kind.pillow} cannot hold; choose png, webp or tiff."
        )
    if not picture.grey and not kind.colour:
        raise UnsupportedImage(f"The picture has colour, which .{extension} cannot hold; choose ppm or png.")
    out = io.BytesIO()
    Image.fromarray(picture.array()).save(out, kind.pillow, **kind.options(picture.metadata))
    present = [key for key in ("exif", "icc", "xmp") if getattr(picture.metadata, key)]
    lost = [key for key in present if key not in kind.metadata]
    notes = (f"{kind.pillow} cannot hold {' and '.join(lost)}.",) if lost else ()
    return out.getvalue(), notes
