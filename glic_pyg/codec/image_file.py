"""Reads image files of any kind that Pillow knows, and writes PNG, WebP, TIFF, JPEG and the like."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from PIL import Image, PngImagePlugin

from glic_pyg.codec.container import DEFAULT_MAX_PIXELS
from glic_pyg.codec.image import ImageData, check_losses, image_from_pillow
from glic_pyg.codec.metadata import SIDEWAYS, Metadata, profile_space, read_metadata, tiff_facts
from glic_pyg.codec.pillow import explanation, may_be_image, open_image, pillow_errors
from glic_pyg.errors import UnsupportedImage
from glic_pyg.files import read_up_to
from glic_pyg.memory import check_memory

__all__ = ["OUTPUT_FORMATS", "OutputFormat", "encode_image", "read_image", "read_size", "write_image"]

_XMP_TAG = 700
_LATE_TEXTS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
_BYTES_PER_PIXEL = 8  # at least: Pillow's four of RGB, and a copy
_LITTLE = 1 << 24  # not worth asking how much is free
_PIPED_HEAD = 1 << 16
_PIPED_BYTES_PER_PIXEL, _PIPED_BYTES = 16, 1 << 26  # beyond, what a pipe sends is no image of so many pixels


class OutputFormat(NamedTuple):
    """How files of one format are written.

    Attributes:
        name: for messages.
        pillow: Pillow's name of the format.
        alpha: whether it holds alpha.
        metadata: which of exif, icc and xmp it holds.
        options: keyword arguments for saving an image with this metadata.
        grey, colour: whether it holds one channel, and three; grey becomes three equal ones where it has to.
        max_side: the largest width and height, in pixels.
    """

    name: str
    pillow: str
    alpha: bool
    metadata: frozenset[str]
    options: Callable[[Metadata], dict[str, Any]]
    grey: bool = True
    colour: bool = True
    max_side: int = (1 << 31) - 1


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


def _jpeg(metadata: Metadata) -> dict[str, Any]:
    return _with_xmp(metadata, quality=95, subsampling=0, optimize=True)


def _tiff(metadata: Metadata) -> dict[str, Any]:
    """TIFF stores EXIF and XMP in its own directory."""
    block = Image.Exif()
    if metadata.exif:
        block.load(b"Exif\0\0" + metadata.exif)
    facts = tiff_facts(block)
    if metadata.xmp:
        facts[_XMP_TAG] = metadata.xmp
    return {**_common(metadata), "exif": facts, "compression": "raw"}  # libtiff writes no EXIF directory


_ALL = frozenset({"exif", "icc", "xmp"})
_NONE: frozenset[str] = frozenset()
_PNG = OutputFormat("PNG", "PNG", True, _ALL, _png)
_WEBP = OutputFormat(
    "WebP", "WEBP", True, _ALL, lambda m: _with_xmp(m, lossless=True, exact=True), grey=False, max_side=16383
)
_TIFF = OutputFormat("TIFF", "TIFF", True, _ALL, _tiff)
_JPEG = OutputFormat("JPEG", "JPEG", False, _ALL, _jpeg, max_side=65500)
_BMP = OutputFormat("BMP", "BMP", False, _NONE, lambda _: {})
_PPM = OutputFormat("PPM", "PPM", False, _NONE, lambda _: {}, grey=False)
_PGM = OutputFormat("PGM", "PPM", False, _NONE, lambda _: {}, colour=False)
OUTPUT_FORMATS = {
    "png": _PNG,
    "webp": _WEBP,
    "tif": _TIFF,
    "tiff": _TIFF,
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "bmp": _BMP,
    "ppm": _PPM,
    "pgm": _PGM,
}
"""Formats that ``glic decode`` writes, by extension. JPEG is the only lossy one (quality 95, 4:4:4)."""


def read_image(
    source: bytes | str | Path | BinaryIO,
    *,
    reduce_16bit: bool = False,
    first_frame: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> ImageData:
    """Read an image file of any kind Pillow knows: upright, 8 bits per sample, with its metadata.

    The whole package opens images with it, so that a file has the same pixels everywhere.

    Args:
        source: the bytes of a file, its path, or a binary stream; its head is read before anything else.
        reduce_16bit, first_frame: allow these losses, see ``image``.
        max_pixels: refuse larger images.

    Raises:
        UnsupportedImage: no image, a damaged one, or one that would lose something not allowed.
        ImageTooLarge, NotEnoughMemory: too many pixels; found out before they are decoded.
    """
    notes: list[str] = []
    with _seekable(source, max_pixels) as file, pillow_errors(notes), open_image(file, max_pixels) as opened:
        width, height = opened.size
        needed = _BYTES_PER_PIXEL * width * height
        if needed > _LITTLE:
            check_memory(needed, f"An image of {width}x{height} pixels", "make it smaller first")
        image = image_from_pillow(opened, reduce_16bit=reduce_16bit, first_frame=first_frame)
    return replace(image, notes=tuple(dict.fromkeys([*notes, *image.notes])))


def read_size(file: IO[bytes], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> tuple[int, int]:
    """Read the width and height of the image that :func:`read_image` returns, from a file's first bytes.

    Pixels are decoded only where the orientation is stored after them.

    Args:
        file: can seek.
        max_pixels: as there.

    Raises:
        UnsupportedImage, ImageTooLarge: as there, of what can be known without decoding.
    """
    with pillow_errors([]), open_image(file, max_pixels) as image:
        check_losses(image, reduce_16bit=False, first_frame=False)
        if image.format == "PNG" and _metadata_after_pixels(file):
            image.load()
        if image.format == "TIFF" and "xmp" in image.info:
            image.load()  # by which Pillow turns it
        width, height = image.size
        turned = read_metadata(image)[1] in SIDEWAYS
    return (height, width) if turned else (width, height)


@contextmanager
def _seekable(source: bytes | str | Path | BinaryIO, max_pixels: int) -> Iterator[IO[bytes]]:
    """Open the source as a seekable stream; a pipe is read whole only if its head may be that of an image.

    Raises:
        UnsupportedImage: a pipe sends no image, or more than an image can have.
    """
    if isinstance(source, str | Path):
        with open(source, "rb") as file:
            yield file
    elif isinstance(source, bytes):
        yield io.BytesIO(source)
    elif source.seekable():
        yield source
    else:
        limit = _PIPED_BYTES + _PIPED_BYTES_PER_PIXEL * max_pixels
        data = read_up_to(source, _PIPED_HEAD)
        if not data or may_be_image(data):  # else it is refused for its head
            data += read_up_to(source, limit + 1 - len(data))
        if len(data) > limit:
            raise UnsupportedImage(f"More than {limit} bytes came, which is no image of {max_pixels} pixels.")
        yield io.BytesIO(data)


def write_image(image: ImageData, extension: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of an image file, and a note for everything that its format cannot hold.

    Args:
        image: what to write.
        extension: a key of ``OUTPUT_FORMATS``.

    Raises:
        UnsupportedImage: the image has alpha, colours or more pixels a side than the format can hold, or
            the extension is unknown.
    """
    if extension not in OUTPUT_FORMATS:
        raise UnsupportedImage(
            f"No image can be written as '.{extension}'; choose one of {', '.join(OUTPUT_FORMATS)}."
        )
    kind = OUTPUT_FORMATS[extension]
    _check_holdable(image, kind)
    notes: list[str] = []
    with pillow_errors(notes, f"The image cannot be written as {kind.name}"):
        pillow = Image.fromarray(image.array())
        if image.grey and not kind.grey:
            pillow = pillow.convert("RGB" if image.alpha is None else "RGBA")
        metadata, lost = _holdable_metadata(image.metadata, kind, pillow.mode)
        data = encode_image(pillow, kind.pillow, **kind.options(metadata))
    return data, tuple(dict.fromkeys([*lost, *notes]))


def encode_image(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Encode an image in one of Pillow's formats.

    The buffer that Pillow gives to libjpeg is too small for optimised Huffman tables where an image cannot be
    compressed, such as noise: that gets the usual tables.
    """
    out = io.BytesIO()
    try:
        image.save(out, kind, **options)
    except OSError:
        if not options.get("optimize"):
            raise
        out = io.BytesIO()
        image.save(out, kind, **{**options, "optimize": False})
    return out.getvalue()


def _metadata_after_pixels(png: IO[bytes]) -> bool:
    """Whether a PNG has EXIF or XMP after its pixels, where Pillow finds them only by decoding it all."""
    position = png.tell()
    png.seek(8)
    seen_pixels = late = False
    while not late and len(head := png.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        start = png.read(min(size, 32))
        seen_pixels |= kind == b"IDAT"
        late = seen_pixels and (kind == b"eXIf" or start.startswith(_LATE_TEXTS))
        png.seek(size - len(start) + 4, io.SEEK_CUR)
    png.seek(position)
    return late


def _check_holdable(image: ImageData, kind: OutputFormat) -> None:
    """Refuse pixels that a format cannot hold.

    Raises:
        UnsupportedImage: with what to choose instead.
    """
    if image.alpha is not None and not kind.alpha:
        raise UnsupportedImage(
            f"The image has alpha, which {kind.name} cannot hold; choose png, webp or tiff."
        )
    if not image.grey and not kind.colour:
        raise UnsupportedImage(f"The image has colours, which {kind.name} cannot hold; choose ppm or png.")
    if max(image.size) > kind.max_side:
        width, height = image.size
        raise UnsupportedImage(
            f"The image has {width}x{height} pixels and {kind.name} holds {kind.max_side} a side; "
            "choose png or tiff."
        )


def _holdable_metadata(metadata: Metadata, kind: OutputFormat, mode: str) -> tuple[Metadata, list[str]]:
    """Return the metadata that a format can hold, and a note for each block that it cannot.

    Whether a format takes a block is found out by writing it with one pixel: limits of size differ, and EXIF
    that is damaged can be copied as a whole but not taken apart as TIFF wants it.
    """
    kept, refused, notes = Metadata(), [], []
    for name in ("exif", "icc", "xmp"):
        block = getattr(metadata, name)
        if not block:
            continue
        foreign = name == "icc" and not kind.grey and profile_space(block) == "GRAY"
        if name not in kind.metadata or foreign:
            refused.append(name)
            continue
        more = replace(kept, **{name: block})
        try:
            Image.new(mode, (1, 1)).save(io.BytesIO(), kind.pillow, **kind.options(more))
        except Exception as error:  # whatever Pillow's writers raise
            notes.append(f"{kind.name} cannot hold this {name} of {len(block)} bytes: {explanation(error)}.")
        else:
            kept = more
    if refused:
        notes.insert(0, f"{kind.name} cannot hold {' and '.join(refused)}.")
    return kept, notes
