import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.evaluation.classical.pillow import JPEG, JPEG_2000, WEBP
from glic_pyg.evaluation.classical.same_bytes import at_least, nearest

Pixels = NDArray[np.uint8]


@pytest.mark.parametrize("quality", [2, 31, 88])
def test_jpeg_of_the_smallest_quality_that_spends_enough(picture: Pixels, quality: int) -> None:
    size = len(JPEG.encode(picture, quality)) - 1
    found = at_least(JPEG, picture, size)
    assert len(found.data) >= size
    assert all(len(JPEG.encode(picture, lower)) < size for lower in range(1, found.setting))


def test_jpeg_that_cannot_spend_enough_is_the_best_one(picture: Pixels) -> None:
    assert at_least(JPEG, picture, 10**6) == (JPEG.encode(picture, 100), 100)


@pytest.mark.parametrize("size", [300, 700, 1500])
def test_no_webp_is_nearer(picture: Pixels, size: int) -> None:
    found = nearest(WEBP, picture, size)
    distances = [abs(len(WEBP.encode(picture, quality)) - size) for quality in range(0, 101, 3)]
    assert abs(len(found.data) - size) <= min(distances)
    assert found.data == WEBP.encode(picture, found.setting)


@pytest.mark.parametrize(("size", "quality"), [(1, 0), (10**6, 100)])
def test_webp_at_the_ends(picture: Pixels, size: int, quality: int) -> None:
    assert nearest(WEBP, picture, size).setting == quality


def test_settings_may_fall_as_the_rate_rises(large_picture: Pixels) -> None:
    found = nearest(JPEG_2000, large_picture, 2000)
    assert abs(len(found.data) - 2000) < 100
