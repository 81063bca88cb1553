import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from glic_pyg.evaluation.classical import decode_classical, jpeg, jpeg_at_least, webp, webp_nearest

Pixels = NDArray[np.uint8]


def test_jpeg_keeps_all_colour_samples(picture: Pixels) -> None:
    image = Image.open(io.BytesIO(jpeg(picture, 50)))
    assert image.format == "JPEG" and JpegImagePlugin.get_sampling(image) == 0  # 0 is 4:4:4


@pytest.mark.parametrize("quality", [2, 31, 88])
def test_jpeg_of_the_smallest_quality_that_spends_enough(picture: Pixels, quality: int) -> None:
    size = len(jpeg(picture, quality)) - 1
    found = jpeg_at_least(picture, size)
    assert len(found.data) >= size
    assert all(len(jpeg(picture, lower)) < size for lower in range(1, found.quality))


def test_jpeg_that_cannot_spend_enough_is_the_best_one(picture: Pixels) -> None:
    assert jpeg_at_least(picture, 10**6) == (jpeg(picture, 100), 100)


@pytest.mark.parametrize("size", [300, 700, 1500])
def test_no_webp_is_nearer(picture: Pixels, size: int) -> None:
    found = webp_nearest(picture, size)
    distances = [abs(len(webp(picture, quality)) - size) for quality in range(0, 101, 3)]
    assert abs(len(found.data) - size) <= min(distances)
    assert found.data == webp(picture, found.quality)


@pytest.mark.parametrize(("size", "quality"), [(1, 0), (10**6, 100)])
def test_webp_at_the_ends(picture: Pixels, size: int, quality: int) -> None:
    assert webp_nearest(picture, size).quality == quality


@pytest.mark.parametrize("encoder", [jpeg, webp])
def test_there_and_back(picture: Pixels, encoder: object) -> None:
    assert callable(encoder)
    for original in (picture, picture[:, :, 1]):
        back = decode_classical(encoder(original, 95), grey=original.ndim == 2)
        assert back.shape == original.shape and back.dtype == np.uint8
        assert np.abs(back.astype(int) - original.astype(int)).mean() < 8
