import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms

from glic_pyg.codec.errors import UnsupportedImage
from glic_pyg.codec.metadata import Metadata
from glic_pyg.codec.picture import Picture
from glic_pyg.codec.picture_file import OUTPUT_FORMATS, read_picture, write_picture
from tests.codec.test_metadata import exif_block

METADATA = Metadata(
    exif_block(1), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"<x:xmpmeta/>"
)


@pytest.mark.parametrize("extension", ["png", "webp", "tif"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossless_formats_keep_everything(pixels: np.ndarray, extension: str, channels: int) -> None:
    colour = pixels if channels > 2 else pixels[..., 0]
    alpha = pixels[..., 1] if channels in (2, 4) else None
    data, notes = write_picture(Picture(colour, alpha, METADATA), extension)
    back = read_picture(data)
    assert notes == ()
    expected = np.dstack([colour] * 3) if extension == "webp" and channels < 3 else colour
    assert (back.colour == expected).all()
    assert (back.alpha is None) == (alpha is None) and (alpha is None or (back.alpha == alpha).all())
    assert back.metadata.icc == METADATA.icc and back.metadata.xmp == METADATA.xmp
    exif = Image.open(io.BytesIO(data)).getexif()
    assert exif[0x010F] == "Camera Works" and exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"


def test_jpeg_is_written_with_metadata_but_never_without_alpha(pixels: np.ndarray) -> None:
    back = read_picture(write_picture(Picture(pixels, None, METADATA), "jpg")[0])
    assert back.metadata == METADATA
    assert np.abs(back.colour.astype(int) - pixels).mean() < 4
    with pytest.raises(UnsupportedImage, match="alpha"):
        write_picture(Picture(pixels, pixels[..., 0]), "jpg")


def test_what_a_format_cannot_hold_is_said(pixels: np.ndarray) -> None:
    picture = Picture(pixels, None, replace(METADATA, icc=None))
    data, notes = write_picture(picture, "bmp")
    assert notes == ("BMP cannot hold exif and xmp.",)
    assert (read_picture(data).colour == pixels).all()


def test_unknown_extensions(pixels: np.ndarray) -> None:
    with pytest.raises(UnsupportedImage, match="png, webp"):
        write_picture(Picture(pixels), "xyz")


def test_the_command_offers_what_can_be_written() -> None:
    from glic_pyg.cli.decode import FORMATS

    assert tuple(OUTPUT_FORMATS) == FORMATS
