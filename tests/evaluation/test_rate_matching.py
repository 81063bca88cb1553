import math

import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.evaluation.baselines.pillow import JPEG, JPEG_2000, WEBP, WEBP_LOSSLESS
from glic_pyg.evaluation.measure import quality_of
from glic_pyg.evaluation.rate_matching import WEBP_MAX_SIDE, at_least, nearest, webp_check

Pixels = NDArray[np.uint8]


def webp(pixels: Pixels, quality: int) -> tuple[Pixels, int]:
    data = WEBP.encode(pixels, quality)
    return WEBP.decode(data, pixels.shape), len(data)


@pytest.mark.parametrize("quality", [10, 60])
def test_webp_against_itself_is_a_draw(large_pixels: Pixels, quality: int) -> None:
    for original in (large_pixels, large_pixels[:, :, 0]):
        decoded, size = webp(original, quality)
        found = webp_check(original, decoded, size)
        assert (found.size, found.webp_size) == (size, size)
        assert found.psnr == quality_of(decoded, original).psnr
        assert found.webp_psnr == pytest.approx(found.psnr, abs=0.1)


def test_who_is_better(pixels: Pixels) -> None:
    (poor, few), (good, many) = webp(pixels, 20), webp(pixels, 70)
    assert webp_check(pixels, poor, many).webp_is_better
    assert not webp_check(pixels, good, few).webp_is_better
    between = webp_check(pixels, poor, (few + many) // 2)
    assert quality_of(poor, pixels).psnr < between.webp_psnr < quality_of(good, pixels).psnr


def test_less_than_webp_can_do_with_is_no_reproach(pixels: Pixels) -> None:
    smallest, size = webp(pixels, 0)
    found = webp_check(pixels, smallest // 2, size - 50)
    assert found.webp_size == size > found.size
    assert found.webp_psnr > found.psnr and not found.webp_is_better


def test_what_webp_keeps_whole_in_fewer_bytes(pixels: Pixels) -> None:
    drawing = (pixels // 128) * 100
    size = len(WEBP_LOSSLESS.encode(drawing, 50))
    assert np.array_equal(WEBP.decode(WEBP_LOSSLESS.encode(drawing, 50), drawing.shape), drawing)
    found = webp_check(drawing, drawing + 1, size + 1)
    assert (found.webp_psnr, found.webp_size, found.webp_is_better) == (math.inf, size, True)
    assert not webp_check(drawing, drawing, size + 1).webp_is_better  # neither loses anything


def test_too_large_for_webp() -> None:
    strip = np.zeros((1, WEBP_MAX_SIDE + 1, 3), np.uint8)
    with pytest.raises(ValueError, match="no image with more than 16383"):
        webp_check(strip, strip, 100)


@pytest.mark.parametrize("quality", [2, 31, 88])
def test_jpeg_of_the_smallest_quality_that_spends_enough(pixels: Pixels, quality: int) -> None:
    size = len(JPEG.encode(pixels, quality)) - 1
    found = at_least(JPEG, pixels, size)
    assert len(found.data) >= size
    assert all(len(JPEG.encode(pixels, lower)) < size for lower in range(1, found.setting))


def test_jpeg_that_cannot_spend_enough_is_the_best_one(pixels: Pixels) -> None:
    assert at_least(JPEG, pixels, 10**6) == (JPEG.encode(pixels, 100), 100)


@pytest.mark.parametrize("size", [300, 700, 1500])
def test_no_webp_is_nearer(pixels: Pixels, size: int) -> None:
    found = nearest(WEBP, pixels, size)
    distances = [abs(len(WEBP.encode(pixels, quality)) - size) for quality in range(0, 101, 3)]
    assert abs(len(found.data) - size) <= min(distances)
    assert found.data == WEBP.encode(pixels, found.setting)


@pytest.mark.parametrize(("size", "quality"), [(1, 0), (10**6, 100)])
def test_webp_at_the_ends(pixels: Pixels, size: int, quality: int) -> None:
    assert nearest(WEBP, pixels, size).setting == quality


def test_settings_may_fall_as_the_rate_rises(large_pixels: Pixels) -> None:
    found = nearest(JPEG_2000, large_pixels, 2000)
    assert abs(len(found.data) - 2000) < 100
