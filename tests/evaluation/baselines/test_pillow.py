import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from glic_pyg.errors import GlicError
from glic_pyg.evaluation.baselines.pillow import AVIF, JPEG, JPEG_2000, JPEG_XL, WEBP, PillowCodec

Pixels = NDArray[np.uint8]
CODECS = [JPEG, WEBP, JPEG_2000, AVIF, JPEG_XL]


def here(codec: PillowCodec) -> PillowCodec:
    if codec.missing():
        pytest.skip(f"{codec.title} needs {codec.missing()}")
    return codec


def test_jpeg_keeps_all_colour_samples(pixels: Pixels) -> None:
    image = Image.open(io.BytesIO(JPEG.encode(pixels, 50)))
    assert image.format == "JPEG" and JpegImagePlugin.get_sampling(image) == 0  # 0 is 4:4:4


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_there_and_back(codec: PillowCodec, pixels: Pixels) -> None:
    setting = here(codec).sweep[-1]
    for original in (pixels, pixels[:, :, 1]):
        back = codec.decode(codec.encode(original, setting), original.shape)
        assert back.shape == original.shape and back.dtype == np.uint8
        assert np.abs(back.astype(int) - original.astype(int)).mean() < 8


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_settings_and_sweep_ascend_in_rate(codec: PillowCodec, large_pixels: Pixels) -> None:
    places = [list(here(codec).settings).index(setting) for setting in codec.sweep]
    assert places == sorted(places)
    sizes = [len(codec.encode(large_pixels, setting)) for setting in codec.sweep[::4]]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_jpeg_2000_decorrelates_colours(large_pixels: Pixels) -> None:
    """Pillow's default codes each colour by itself: a grey image in RGB would cost three times as much."""
    grey = np.dstack([large_pixels[:, :, 0]] * 3)
    back = JPEG_2000.decode(JPEG_2000.encode(grey, 20), grey.shape)
    alone = JPEG_2000.decode(JPEG_2000.encode(grey[:, :, 0], 20), grey.shape[:2])
    assert np.square(back - 1.0 * grey).mean() < 0.5 * np.square(alone - 1.0 * grey[:, :, 0]).mean()


def test_noise_is_coded_at_every_quality() -> None:
    """Pillow's buffer is too small for the optimised file of an image that cannot be compressed."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 220, 3), dtype=np.uint8)
    sizes = [len(JPEG.encode(noise, quality)) for quality in (85, 94, 95, 100)]
    assert sizes == sorted(sizes) and sizes[-1] > 2 * noise.size // 3


def test_a_size_that_a_format_cannot_hold_is_one_sentence() -> None:
    for codec, shape in ((WEBP, (1, 17_000, 3)), (JPEG, (66_000, 1))):
        with pytest.raises(GlicError, match=f"^{codec.title} cannot hold the image: .*\\.$"):
            codec.encode(np.zeros(shape, np.uint8), codec.sweep[0])


def test_what_is_missing_is_named() -> None:
    plugin = PillowCodec(
        "x", "X", ".x", "quality", [1], [1], "X", lambda q: {}, "no_such_plugin", "the X plugin"
    )
    assert plugin.missing() == "the X plugin" and JPEG.missing() is None
