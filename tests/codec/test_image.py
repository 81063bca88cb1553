"""Colour rules: what comes in, what comes back, and what is refused or said."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from glic_pyg.codec.image import image_from_array, image_from_pillow
from glic_pyg.codec.image_file import read_image
from glic_pyg.codec.metadata import MAX_METADATA_BYTES, Metadata
from glic_pyg.errors import ImageTooLarge, UnsupportedImage
from tests.codec.test_metadata import INTEGER_TYPES, exif_block, short_exif


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def pil_image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("mode", "grey", "alpha"),
    [
        ("1", True, False), ("L", True, False), ("LA", True, True), ("P", False, False), ("PA", False, True),
        ("RGB", False, False), ("RGBA", False, True), ("RGBX", False, False), ("RGBa", False, True),
        ("CMYK", False, False), ("YCbCr", False, False), ("HSV", False, False), ("LAB", False, False),
    ],
)  # fmt: skip
def test_modes(pil_image: Image.Image, mode: str, grey: bool, alpha: bool) -> None:
    source = (
        pil_image.convert("RGBA").convert(mode)
        if mode in ("PA", "RGBa")
        else pil_image.convert(mode)
        if mode != "LAB"
        else Image.new("LAB", pil_image.size)
    )
    image = image_from_pillow(source)
    assert image.grey is grey
    assert (image.alpha is not None) is alpha
    assert image.source_mode == mode
    lossy = mode in ("CMYK", "YCbCr", "HSV", "LAB")
    assert any("converted" in note for note in image.notes) is lossy


def test_pixels_are_the_sources(pil_image: Image.Image, pixels: np.ndarray) -> None:
    assert (image_from_pillow(pil_image).colour == pixels).all()
    grey = pil_image.convert("L")
    assert (image_from_pillow(grey).colour == np.asarray(grey)).all()
    ramp = np.linspace(0, 255, pixels[..., 0].size).astype(np.uint8).reshape(pixels.shape[:2])
    image = image_from_pillow(Image.fromarray(np.dstack([pixels, ramp])))
    assert (image.colour == pixels).all() and image.alpha is not None and (image.alpha == ramp).all()


def test_palette_with_transparency(pil_image: Image.Image) -> None:
    palette = pil_image.quantize(16)
    image = read_image(saved(palette, "PNG", transparency=3))
    assert image.alpha is not None
    assert (image.alpha == np.where(np.asarray(palette) == 3, 0, 255)).all()
    assert (image.colour == np.asarray(palette.convert("RGB"))).all()


@pytest.mark.parametrize(("mode", "key"), [("L", 40), ("RGB", (200, 40, 90))])
def test_png_colour_key_becomes_alpha(pil_image: Image.Image, mode: str, key: object) -> None:
    source = pil_image.convert(mode)
    image = read_image(saved(source, "PNG", transparency=key))
    clear = np.asarray(source) == np.array(key)
    clear = clear if mode == "L" else clear.all(axis=-1)
    assert image.alpha is not None and ((image.alpha == 0) == clear).all()


def png_with_16_bit_rgb() -> bytes:
    """Pillow cannot write one, so here are the chunks by hand: 2x1 pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    row = b"\0" + struct.pack(">6H", 0xFFFF, 0x8000, 0, 0x1234, 0x5678, 0x9ABC)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    )


def sixteen_bit_files() -> dict[str, bytes]:
    levels = (np.arange(64, dtype=np.uint16) * 1000).reshape(8, 8)
    grey = Image.fromarray(levels)
    ppm = b"P6 2 1 65535\n" + bytes(range(12))
    return {
        "png grey": saved(grey, "PNG"),
        "png rgb": png_with_16_bit_rgb(),
        "tiff grey": saved(grey, "TIFF"),
        "jpeg 2000": saved(grey, "JPEG2000"),
        "ppm": ppm,
    }


@pytest.mark.parametrize("name", sixteen_bit_files())
def test_16_bit_is_refused_unless_asked(name: str) -> None:
    data = sixteen_bit_files()[name]
    with pytest.raises(UnsupportedImage, match="--reduce-16bit"):
        read_image(data)
    assert read_image(data, reduce_16bit=True).source_mode.split(";")[-1] == "16"


def test_16_bit_is_rounded() -> None:
    levels = np.array([[0, 128, 129, 257, 65535, 65535 - 129]], np.uint16)
    assert image_from_array(levels, reduce_16bit=True).colour.tolist() == [[0, 0, 1, 1, 255, 254]]
    image = read_image(saved(Image.fromarray(levels), "PNG"), reduce_16bit=True)
    assert image.colour.tolist() == [[0, 0, 1, 1, 255, 254]]


def test_floats_and_odd_arrays_are_refused() -> None:
    with pytest.raises(UnsupportedImage, match="floats"):
        image_from_pillow(Image.new("F", (3, 3)))
    with pytest.raises(UnsupportedImage, match="uint8, not float64"):
        image_from_array(np.zeros((4, 4, 3)))
    for shape in ((4,), (4, 4, 5), (0, 4), (2, 4, 4, 3)):
        with pytest.raises(UnsupportedImage, match="no image"):
            image_from_array(np.zeros(shape, np.uint8))


def test_animations_are_refused_unless_asked(pil_image: Image.Image) -> None:
    frames = [pil_image.quantize(8), pil_image.rotate(90).resize(pil_image.size).quantize(8)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedImage, match="2 frames"):
        read_image(data)
    image = read_image(data, first_frame=True)
    assert "Only the first of the file's 2 images is kept." in image.notes


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_baked_in(pil_image: Image.Image, orientation: int) -> None:
    from PIL import ImageOps

    data = saved(pil_image, "PNG", exif=b"Exif\0\0" + exif_block(orientation))
    image = read_image(data)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert (image.colour == np.asarray(expected)).all()
    assert image.metadata.exif == exif_block(1)


def test_orientation_in_xmp_alone(pil_image: Image.Image) -> None:
    image = read_image(saved(pil_image, "WEBP", lossless=True, xmp=b'<x tiff:Orientation="6"/>'))
    assert image.size == (pil_image.height, pil_image.width)
    assert image.metadata.xmp == b'<x tiff:Orientation="1"/>'


@pytest.mark.parametrize("kind", sorted(INTEGER_TYPES))
@pytest.mark.parametrize("endian", "<>")
def test_orientation_of_any_type_of_integer(pil_image: Image.Image, kind: int, endian: str) -> None:
    """Some programs write it as LONG; Pillow and viewers do not mind."""
    block = short_exif(kind, 6, endian)
    image = read_image(saved(pil_image, "JPEG", quality=95, exif=b"Exif\0\0" + block))
    assert image.size == (pil_image.height, pil_image.width)
    assert image.metadata.exif == short_exif(kind, 1, endian)


def test_an_upright_exif_overrules_xmp(pil_image: Image.Image) -> None:
    """As everywhere else: XMP counts only where EXIF says nothing."""
    xmp = b"<x tiff:Orientation = '8'/>"
    both = read_image(saved(pil_image, "WEBP", exif=b"Exif\0\0" + exif_block(1), xmp=xmp))
    assert both.size == pil_image.size and both.metadata.xmp == b"<x tiff:Orientation = '1'/>"
    assert read_image(saved(pil_image, "WEBP", xmp=xmp)).size == pil_image.size[::-1]


def test_orientation_of_a_tiff(pil_image: Image.Image, pixels: np.ndarray) -> None:
    image = read_image(saved(pil_image, "TIFF", tiffinfo={274: 6, 270: "a view", 315: "me"}))
    assert (image.colour == np.rot90(pixels, -1)).all()
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + (image.metadata.exif or b""))
    assert (exif[270], exif[315]) == ("a view", "me")
    assert exif.get(274, 1) == 1 and 273 not in exif


def test_profiles_are_kept_but_not_an_ink_profile(pil_image: Image.Image) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read_image(saved(pil_image, "JPEG", icc_profile=profile)).metadata.icc == profile
    inks = read_image(saved(pil_image.convert("CMYK"), "JPEG", icc_profile=profile))
    assert inks.metadata.icc is None
    assert any("unusable" in note for note in inks.notes)  # an sRGB profile does not describe inks


@pytest.mark.parametrize(
    ("mode", "space", "kept"),
    [
        ("RGB", "RGB", True), ("RGB", "GRAY", False), ("RGB", "Lab", False), ("RGB", "CMYK", False),
        ("L", "GRAY", True), ("L", "RGB", True), ("L", "Lab", False), ("LA", "GRAY", True),
        ("P", "GRAY", False), ("P", "RGB", True), ("LAB", "Lab", False), ("LAB", "RGB", False),
        ("YCbCr", "RGB", True), ("I;16", "GRAY", True), ("RGBA", "GRAY", False),
    ],
)  # fmt: skip
def test_a_profile_of_other_colours_does_not_stay(
    pil_image: Image.Image, mode: str, space: str, kept: bool
) -> None:
    source = Image.new("LAB", pil_image.size) if mode == "LAB" else pil_image.convert("L").convert(mode)
    source = pil_image.quantize(8) if mode == "P" else source
    source.info["icc_profile"] = profile_for(space)
    image = image_from_pillow(source, reduce_16bit=True)
    assert image.metadata.icc == (profile_for(space) if kept else None)
    assert any("ICC profile" in note for note in image.notes) is not kept
    assert not any("ICC profile" in note for note in image.pixel_notes)


def profile_for(space: str) -> bytes:
    """An sRGB profile that says it is one for other colours."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[16:20] = space.ljust(4).encode()
    return bytes(profile)


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("exif", b"Exif\0\0garbage that is no TIFF", "EXIF"),
        ("exif", "text", "EXIF"),
        ("Raw profile type exif", "\nexif\n 4\nzznothex\n", "EXIF"),
        ("icc_profile", (1, 2, 3), "ICC profile"),
        ("xmp", 5, "XMP"),
        ("XML:com.adobe.xmp", "lone \ud800 surrogate", "XMP"),
    ],
)
def test_metadata_that_cannot_be_read_are_left_out(
    pil_image: Image.Image, pixels: np.ndarray, key: str, value: object, name: str
) -> None:
    source = pil_image.copy()
    source.info[key] = value
    image = image_from_pillow(source)
    assert (image.colour == pixels).all() and image.metadata == Metadata()
    assert image.notes == (f"The {name} cannot be read and is left out.",)


def test_metadata_that_are_too_large_are_left_out(pil_image: Image.Image) -> None:
    source = pil_image.copy()
    source.info.update(exif=b"II*\0" + bytes(MAX_METADATA_BYTES), xmp=b"<small/>")
    image = image_from_pillow(source)
    assert image.metadata == Metadata(xmp=b"<small/>")
    assert "The EXIF has 16777220 bytes, more than a file can hold, and is left out." in image.notes


def test_a_doubled_exif_prefix(pil_image: Image.Image) -> None:
    source = pil_image.copy()
    source.info["exif"] = b"Exif\0\0Exif\0\0" + exif_block(8)
    image = image_from_pillow(source)
    assert image.size == pil_image.size[::-1] and image.metadata.exif == exif_block(1)


def test_a_text_bomb_is_refused_in_a_sentence(pil_image: Image.Image) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("bomb", "x" * (3 << 20), zip=True)
    with pytest.raises(UnsupportedImage, match=r"PNG file that is damaged.*MAX_TEXT_CHUNK\)\.$"):
        read_image(saved(pil_image, "PNG", pnginfo=chunks))


def test_what_is_not_kept_is_said(pil_image: Image.Image) -> None:
    image = read_image(saved(pil_image, "JPEG", comment=b"by the lake", dpi=(300, 300)))
    assert image.notes == ("Not kept: comment, dpi.",)


def test_damaged_and_foreign_files(pil_image: Image.Image) -> None:
    for data in (b"", b"hello", saved(pil_image, "PNG")[:2000], saved(pil_image, "JPEG")[:1500]):
        with pytest.raises(UnsupportedImage, match="read"):
            read_image(data)


def test_too_many_pixels_are_refused_before_they_are_decoded(pil_image: Image.Image) -> None:
    with pytest.raises(ImageTooLarge, match="130x90"):
        read_image(saved(pil_image, "PNG")[:100], max_pixels=1000)
