import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from glic_pyg.codec.container import Stream, read_container, write_container
from glic_pyg.codec.header import Header
from glic_pyg.codec.metadata import Metadata, deflate, exif_orientation, inflate, reset_orientation
from glic_pyg.errors import CorruptFile, UnsupportedImage


def exif_block(orientation: int, endian: str = "<") -> bytes:
    exif = Image.Exif()
    exif.endian = endian
    exif[0x0112] = orientation
    exif[0x010F] = "Camera Works"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    exif[0x8769] = exif.get_ifd(0x8769)
    return exif.tobytes().removeprefix(b"Exif\0\0")


INTEGER_TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}


def short_exif(kind: int, orientation: int, endian: str = "<") -> bytes:
    """A block with nothing but an orientation, of one of the types of integers."""
    value = struct.pack(endian + INTEGER_TYPES[kind], orientation).ljust(4, b"\0")
    head = (b"II*\0" if endian == "<" else b"MM\0*") + struct.pack(endian + "I", 8)
    return head + struct.pack(endian + "HHHI", 1, 0x0112, kind, 1) + value + bytes(4)


def test_compression_there_and_back() -> None:
    for payload in (b"", b"x", bytes(range(256)) * 40):
        assert inflate(deflate(payload)) == payload


def test_damaged_or_hostile_metadata() -> None:
    for data in (b"", b"\xff\xff", deflate(b"hello")[:-2], deflate(b"hello") + b"!"):
        with pytest.raises(CorruptFile):
            inflate(data)
    coder = zlib.compressobj(9, wbits=-15)
    with pytest.raises(CorruptFile, match="unreasonably large"):
        inflate(coder.compress(bytes(40_000_000)) + coder.flush())


def test_metadata_no_reader_would_accept_is_refused_at_once() -> None:
    with pytest.raises(UnsupportedImage, match="remove that metadata"):
        deflate(bytes((1 << 24) + 1))


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_only_the_orientation_changes(orientation: int, endian: str) -> None:
    block = exif_block(orientation, endian)
    assert exif_orientation(block) == orientation
    reset = reset_orientation(Metadata(exif=block)).exif
    assert reset is not None and exif_orientation(reset) == 1
    assert sum(a != b for a, b in zip(block, reset, strict=True)) == (orientation != 1)
    again = Image.Exif()
    again.load(b"Exif\0\0" + reset)
    assert again[0x010F] == "Camera Works"
    assert again.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"


def test_xmp_orientation_is_reset_too() -> None:
    for before, after in (
        (b'tiff:Orientation="6"', b'tiff:Orientation="1"'),
        (b"<tiff:Orientation>8<", b"<tiff:Orientation>1<"),
    ):
        assert reset_orientation(Metadata(xmp=b"<a> " + before + b" b")).xmp == b"<a> " + after + b" b"


def test_unreadable_exif_is_kept_as_it_is() -> None:
    for block in (b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x40", b"garbage!garbage!"):
        assert exif_orientation(block) == 1
        assert reset_orientation(Metadata(exif=block)).exif == block


def test_pillow_agrees_about_our_block() -> None:
    out = io.BytesIO()
    Image.new("L", (4, 4)).save(out, "JPEG", exif=b"Exif\0\0" + exif_block(6))
    assert Image.open(out).getexif()[0x0112] == 6


@pytest.mark.parametrize("compressible", [True, False])
def test_as_much_metadata_as_is_allowed_goes_there_and_back(compressible: bool) -> None:
    """Also what DEFLATE makes larger: the container has room for it."""
    block = bytes(1 << 24) if compressible else np.random.default_rng(0).bytes(1 << 24)
    header = Header("tiny", bytes(8), 16, 16, False, False, "RGB", 0)
    data = write_container(header, {Stream.LATENTS: b"", Stream.EXIF: deflate(block)})
    assert inflate(read_container(data).streams[Stream.EXIF]) == block
