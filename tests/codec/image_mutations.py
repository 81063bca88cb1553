"""Good image files of every kind that Pillow writes, and ways to damage one."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageCms, PngImagePlugin

from tests.codec.file_mutations import flip_bits, splice, truncate
from tests.codec.test_metadata import exif_block

Mutation = Callable[[bytes, Generator, list[bytes]], bytes]
"""(data, generator, good files to take parts of) to other data."""

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F")
UNREADABLE = ("PDF", "EPS", "WMF", "PALM")  # what Pillow cannot read, or only with another program
MARKS = (b"Exif", b"II*\0", b"MM\0*", b"acsp", b"iTXt", b"zTXt", b"eXIf", b"iCCP", b"ICC_", b"xap", b"XMP ")
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def image_files() -> dict[str, bytes]:
    """By kind and mode: small, with metadata where the kind takes them, some animated, most with 8 bits."""
    Image.init()
    found = {}
    for kind in sorted(Image.SAVE.keys() - {"GLIC"}):  # no image, though another test has imported its plugin
        if kind in UNREADABLE:
            continue
        for mode in MODES:
            for name, options in _options(kind, mode):
                data = _saved(_image(mode), kind, options)
                if data is not None:
                    found[f"{kind} {mode} {name}"] = data
    return found


def _options(kind: str, mode: str) -> Iterator[tuple[str, dict[str, object]]]:
    yield "plain", {}
    exif, icc = b"Exif\0\0" + exif_block(6), _profile()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><tiff:Orientation>8</tiff:Orientation></x:xmpmeta>'
    if kind in ("JPEG", "MPO", "WEBP", "AVIF"):
        yield "metadata", {"exif": exif, "icc_profile": icc, "xmp": xmp, "comment": "by the lake"}
    if kind == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode(), zip=True)
        chunks.add_text("Raw profile type exif", "\nexif\n 8\n" + exif.hex())
        yield "metadata", {"pnginfo": chunks, "icc_profile": icc, "dpi": (72, 72)}
        yield "exif", {"exif": exif}
    if kind == "TIFF":
        yield "metadata", {"tiffinfo": {274: 5, 270: "a view", 700: xmp}, "icc_profile": icc}
        for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
            if compression != "jpeg" or mode in ("L", "RGB", "CMYK"):
                yield compression, {"compression": compression}
    if kind in ("PNG", "GIF", "WEBP", "TIFF", "AVIF"):
        yield "animated", {"save_all": True, "append_images": [_image("RGB").rotate(180)]}


def _image(mode: str) -> Image.Image:
    rows, columns = np.mgrid[0:32, 0:32]
    pixels = np.stack([rows * 8, columns * 8, 4 * (rows + columns), 255 - rows * 4], axis=-1).astype(np.uint8)
    rgba = Image.fromarray(pixels)
    if mode in ("LAB", "I;16"):
        return Image.new("LAB", rgba.size, 99) if mode == "LAB" else rgba.convert("I").convert("I;16")
    return rgba.convert(mode) if mode in ("RGBA", "LA", "PA") else rgba.convert("RGB").convert(mode)


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _saved(image: Image.Image, kind: str, options: dict[str, object]) -> bytes | None:
    """A file that Pillow writes and reads; ``None`` where the kind does not take the mode."""
    out = io.BytesIO()
    try:
        image.save(out, kind, **options)
        Image.open(out).load()
    except Exception:
        return None
    return out.getvalue()


def change_the_start(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    """Any bytes at a few places of the first hundred, where the headers are."""
    out = bytearray(data)
    for place in rng.integers(0, min(len(out), 100), rng.integers(1, 6)):
        out[place] = rng.integers(0, 256)
    return bytes(out)


def change_a_number(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    """A size, an offset or a count that is far too large, or nothing."""
    value, order = EXTREMES[rng.integers(0, len(EXTREMES))], "<>"[rng.integers(0, 2)]
    raw = struct.pack(order + ("H" if value <= 0xFFFF and rng.integers(0, 2) else "I"), value)
    limit = min(len(data), 400 if rng.integers(0, 2) else len(data))
    place = int(rng.integers(0, limit))
    return data[:place] + raw + data[place + len(raw) :]


def change_a_text(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    """Digits, as in the headers of portable pixmaps, X bitmaps and Radiance-like formats."""
    digits = [place for place, byte in enumerate(data[:200]) if 48 <= byte < 58] or [0]
    place = digits[rng.integers(0, len(digits))]
    texts = (b"-1", b"0", b"99999999999999999999", b"1e9", b" ", b"0x10", b"\xd9\xa3", b"")
    return data[:place] + texts[rng.integers(0, len(texts))] + data[place + 1 :]


def repeat_a_part(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    first, last = sorted(int(place) for place in rng.integers(0, len(data), 2))
    return data[:last] + data[first:last] * int(rng.integers(1, 4)) + data[last:]


def leave_out_a_part(data: bytes, rng: Generator, _: list[bytes]) -> bytes:
    first, last = sorted(int(place) for place in rng.integers(0, len(data), 2))
    return data[:first] + data[last:]


def damage_metadata(data: bytes, rng: Generator, seeds: list[bytes]) -> bytes:
    """Bytes around what names a block of metadata, in any kind of file."""
    places = [place for mark in MARKS if (place := data.find(mark)) >= 0]
    if not places:
        return change_a_number(data, rng, seeds)
    start = places[rng.integers(0, len(places))]
    out = bytearray(data)
    for place in start - 8 + rng.integers(0, 120, rng.integers(1, 8)):
        if 0 <= place < len(out):
            out[place] = (0, 1, 255, rng.integers(0, 256))[rng.integers(0, 4)]
    return mended_png(bytes(out))


def mended_png(data: bytes) -> bytes:
    """Of a PNG, the checksums made right again, or no damage would come past them."""
    if not data.startswith(b"\x89PNG"):
        return data
    out, at = data[:8], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + size]
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return out


def damage_a_mended_png(data: bytes, rng: Generator, seeds: list[bytes]) -> bytes:
    change = (flip_bits, change_the_start, change_a_number)[rng.integers(0, 3)]
    return mended_png(change(data, rng, seeds))


MUTATIONS: list[Mutation] = [
    flip_bits, truncate, splice, change_the_start, change_a_number, change_a_text, repeat_a_part,
    leave_out_a_part, damage_metadata, damage_a_mended_png,
]  # fmt: skip
