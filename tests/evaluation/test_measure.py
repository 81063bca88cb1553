import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.evaluation.baselines.pillow import JPEG
from glic_pyg.evaluation.measure import quality_of

Pixels = NDArray[np.uint8]


def through_jpeg(original: Pixels, quality: int) -> Pixels:
    return JPEG.decode(JPEG.encode(original, quality), original.shape)


def test_ms_ssim_where_it_is_possible(pixels: Pixels, large_pixels: Pixels) -> None:
    assert quality_of(pixels, pixels).ms_ssim is None
    assert quality_of(pixels, pixels).ms_ssim_db is None
    large = quality_of(through_jpeg(large_pixels, 30), large_pixels)
    assert large.ms_ssim is not None and 0.5 < large.ms_ssim < 1


def test_grey_counts_like_three_equal_channels(large_pixels: Pixels) -> None:
    grey = large_pixels[:, :, 0]
    back = through_jpeg(grey, 20)
    one, three = quality_of(back, grey), quality_of(np.dstack([back] * 3), np.dstack([grey] * 3))
    assert one.psnr == pytest.approx(three.psnr)
    assert one.ms_ssim == pytest.approx(three.ms_ssim)


def test_another_shape_is_no_copy(pixels: Pixels) -> None:
    with pytest.raises(ValueError, match=r"shape \(48, 63, 3\) is no copy"):
        quality_of(pixels[:, 1:], pixels)
