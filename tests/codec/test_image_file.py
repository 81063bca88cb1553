import io
import struct
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from PIL import Image, ImageCms

from glic_pyg.codec import image_file
from glic_pyg.codec.image import ImageData
from glic_pyg.codec.image_file import OUTPUT_FORMATS, read_image, write_image
from glic_pyg.codec.metadata import Metadata
from glic_pyg.errors import UnsupportedImage
from tests.codec.test_image import profile_for
from tests.codec.test_metadata import exif_block

METADATA = Metadata(
    exif_block(1), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"<x:xmpmeta/>"
)


@pytest.mark.parametrize("extension", ["png", "webp", "tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossless_formats_keep_everything(pixels: np.ndarray, extension: str, channels: int) -> None:
    colour = pixels if channels > 2 else pixels[..., 0]
    alpha = pixels[..., 1] if channels in (2, 4) else None
    data, notes = write_image(ImageData(colour, alpha, METADATA), extension)
    back = read_image(data)
    assert notes == ()
    expected = np.dstack([colour] * 3) if extension == "webp" and channels < 3 else colour
    assert (back.colour == expected).all()
    assert (back.alpha is None) == (alpha is None) and (alpha is None or (back.alpha == alpha).all())
    assert back.metadata.icc == METADATA.icc and back.metadata.xmp == METADATA.xmp
    exif = Image.open(io.BytesIO(data)).getexif()
    assert exif[0x010F] == "Camera Works" and exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"


def test_jpeg_is_written_with_metadata_but_never_without_alpha(pixels: np.ndarray) -> None:
    back = read_image(write_image(ImageData(pixels, None, METADATA), "jpg")[0])
    assert back.metadata == METADATA
    assert np.abs(back.colour.astype(int) - pixels).mean() < 4
    with pytest.raises(UnsupportedImage, match="alpha"):
        write_image(ImageData(pixels, pixels[..., 0]), "jpg")


def test_what_a_format_cannot_hold_is_said(pixels: np.ndarray) -> None:
    image = ImageData(pixels, None, replace(METADATA, icc=None))
    data, notes = write_image(image, "bmp")
    assert notes == ("BMP cannot hold exif and xmp.",)
    assert (read_image(data).colour == pixels).all()


def test_exif_too_long_for_jpeg_is_left_out_with_a_note(pixels: np.ndarray) -> None:
    large = Metadata(b"II*\0" + bytes(70_000), METADATA.icc, METADATA.xmp)
    data, notes = write_image(ImageData(pixels, None, large), "jpg")
    assert notes == ("JPEG cannot hold this exif of 70004 bytes: EXIF data is too long.",)
    back = read_image(data).metadata
    assert back == replace(large, exif=None)
    for extension in ("png", "webp"):
        data, notes = write_image(ImageData(pixels, None, large), extension)
        assert notes == () and read_image(data).metadata.exif == large.exif


def test_xmp_too_long_for_jpeg_is_left_out_with_a_note(pixels: np.ndarray) -> None:
    large = replace(METADATA, xmp=b"<x>" + b"y" * 70_000 + b"</x>")
    data, notes = write_image(ImageData(pixels, None, large), "jpg")
    assert notes == ("JPEG cannot hold this xmp of 70007 bytes: XMP data is too long.",)
    assert read_image(data).metadata == replace(large, xmp=None)


def test_exif_that_tiff_cannot_take_apart(pixels: np.ndarray) -> None:
    """Other formats copy it as a whole."""
    image = ImageData(pixels, None, Metadata(exif=b"II*\0garbage that ends"))
    for extension in ("png", "jpg", "webp"):
        assert write_image(image, extension)[1] == ()
    data, notes = write_image(image, "tif")
    assert (read_image(data).colour == pixels).all()
    assert notes != () and all("exif" in note or "Pillow says" in note for note in notes)


def test_an_orientation_in_an_odd_form_does_not_turn_a_tiff(pixels: np.ndarray) -> None:
    """Five values in place of one: we see no orientation in them, Pillow takes the first."""
    block = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x0112, 3, 5, 26) + bytes(4) + bytes([6, 0] * 5)
    image = ImageData(pixels, None, Metadata(exif=block))
    assert (read_image(write_image(image, "tif")[0]).colour == pixels).all()


def test_a_grey_profile_does_not_come_to_the_rgb_of_webp(pixels: np.ndarray) -> None:
    profile = profile_for("GRAY")
    grey = ImageData(pixels[..., 0], None, Metadata(icc=profile))
    data, notes = write_image(grey, "webp")
    assert notes == ("WebP cannot hold icc.",) and "icc_profile" not in Image.open(io.BytesIO(data)).info
    assert read_image(write_image(grey, "png")[0]).metadata.icc == profile


@pytest.mark.parametrize(("extension", "limit"), [("webp", 16383), ("jpg", 65500)], ids=["webp", "jpeg"])
@pytest.mark.parametrize("upright", [False, True])
def test_sides_that_a_format_cannot_hold(extension: str, limit: int, upright: bool) -> None:
    for side in (limit, limit + 1, 66_000):
        colour = np.zeros((side, 1) if upright else (1, side), np.uint8)
        if side == limit:
            assert len(write_image(ImageData(colour), extension)[0]) > 0
            continue
        with pytest.raises(
            UnsupportedImage, match=f"{side}.* pixels and .* holds {limit} a side; choose png"
        ):
            write_image(ImageData(colour), extension)
        assert read_image(write_image(ImageData(colour), "png")[0]).size == colour.shape[::-1]


@pytest.mark.parametrize("extension", OUTPUT_FORMATS)
def test_noise_is_written(extension: str) -> None:
    """Pillow fails to optimise a JPEG of an image that cannot be compressed."""
    noise = np.random.default_rng(0).integers(0, 256, (210, 220, 3), dtype=np.uint8)
    colour = noise[..., 0] if extension == "pgm" else noise
    assert read_image(write_image(ImageData(colour), extension)[0]).size == (220, 210)


def test_pgm_is_grey_and_ppm_is_colour(pixels: np.ndarray) -> None:
    with pytest.raises(UnsupportedImage, match="colours, which PGM cannot hold; choose ppm or png"):
        write_image(ImageData(pixels), "pgm")
    grey = pixels[..., 0]
    for extension, magic, expected in (("pgm", b"P5", grey), ("ppm", b"P6", np.dstack([grey] * 3))):
        data, notes = write_image(ImageData(grey), extension)
        assert data.startswith(magic) and notes == ()
        assert (read_image(data).colour == expected).all()


def test_unknown_extensions(pixels: np.ndarray) -> None:
    with pytest.raises(UnsupportedImage, match="png, webp"):
        write_image(ImageData(pixels), "xyz")


def test_the_command_offers_what_can_be_written() -> None:
    from glic_pyg.cli.decode import FORMATS

    assert tuple(OUTPUT_FORMATS) == FORMATS


class Pipe(io.BytesIO):
    """Counts what is read and cannot go back."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TGA", "WEBP"])
def test_an_image_from_a_pipe(kind: str, pixels: np.ndarray) -> None:
    """Also one whose header stands at its end, and one that does not show by its first bytes."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    assert np.array_equal(read_image(Pipe(out.getvalue())).colour, read_image(out.getvalue()).colour)


@pytest.mark.parametrize("start", [b"\x1aE\xdf\xa3", b"\0", b"GLIC\x01"])
def test_of_a_pipe_that_sends_no_image_only_the_head_is_read(start: bytes) -> None:
    """Neither does a .glic file count as one once the plugin for Pillow has been imported."""
    import_module("glic_pyg.pillow")
    pipe = Pipe(start + bytes(10_000_000))
    with pytest.raises(UnsupportedImage, match="not an image"):
        read_image(pipe)
    assert pipe.taken <= 1 << 16


def test_a_pipe_that_sends_more_than_any_image_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_file, "_PIPED_BYTES", 1 << 17)
    pipe = Pipe(b"\x89PNG\r\n\x1a\n" + bytes(10_000_000))
    with pytest.raises(UnsupportedImage, match="no image of 100 pixels"):
        read_image(pipe, max_pixels=100)
    assert pipe.taken < 1 << 18
