import math

import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.evaluation.classical.pillow import WEBP, WEBP_LOSSLESS
from glic_pyg.evaluation.quality import quality_of
from glic_pyg.evaluation.webp_check import LARGEST_SIDE, webp_check

Pixels = NDArray[np.uint8]


def webp(picture: Pixels, quality: int) -> tuple[Pixels, int]:
    data = WEBP.encode(picture, quality)
    return WEBP.decode(data, picture.shape), len(data)


@pytest.mark.parametrize("quality", [10, 60])
def test_webp_against_itself_is_a_draw(large_picture: Pixels, quality: int) -> None:
    for original in (large_picture, large_picture[:, :, 0]):
        decoded, size = webp(original, quality)
        found = webp_check(original, decoded, size)
        assert (found.size, found.webp_size) == (size, size)
        assert found.psnr == quality_of(decoded, original).psnr
        assert found.webp_psnr == pytest.approx(found.psnr, abs=0.1)


def test_who_is_better(picture: Pixels) -> None:
    (poor, few), (good, many) = webp(picture, 20), webp(picture, 70)
    assert webp_check(picture, poor, many).webp_is_better
    assert not webp_check(picture, good, few).webp_is_better
    between = webp_check(picture, poor, (few + many) // 2)
    assert quality_of(poor, picture).psnr < between.webp_psnr < quality_of(good, picture).psnr


def test_less_than_webp_can_do_with_is_no_reproach(picture: Pixels) -> None:
    smallest, size = webp(picture, 0)
    found = webp_check(picture, smallest // 2, size - 50)
    assert found.webp_size == size > found.size
    assert found.webp_psnr > found.psnr and not found.webp_is_better


def test_what_webp_keeps_whole_in_fewer_bytes(picture: Pixels) -> None:
    drawing = (picture // 128) * 100
    size = len(WEBP_LOSSLESS.encode(drawing, 50))
    assert np.array_equal(WEBP.decode(WEBP_LOSSLESS.encode(drawing, 50), drawing.shape), drawing)
    found = webp_check(drawing, drawing + 1, size + 1)
    assert (found.webp_psnr, found.webp_size, found.webp_is_better) == (math.inf, size, True)
    assert not webp_check(drawing, drawing, size + 1).webp_is_better  # neither loses anything


def test_too_large_for_webp() -> None:
    strip = np.zeros((1, LARGEST_SIDE + 1, 3), np.uint8)
    with pytest.raises(ValueError, match="no picture with more than 16383"):
        webp_check(strip, strip, 100)
