import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.evaluation.classical.ycbcr import frame_size, rgb_from_frame, ycbcr_frame

Pixels = NDArray[np.uint8]


@pytest.mark.parametrize("grey", [False, True])
def test_ten_bits_and_all_chroma_lose_nothing(picture: Pixels, grey: bool) -> None:
    original = picture[:, :, 0] if grey else picture
    frame = ycbcr_frame(original, bits=10, halved=False)
    assert len(frame) == 3 * 2 * 48 * 64
    assert np.array_equal(rgb_from_frame(frame, original.shape, bits=10, halved=False), original)


def test_eight_bits_lose_a_rounding(picture: Pixels) -> None:
    back = rgb_from_frame(ycbcr_frame(picture, bits=8, halved=False), picture.shape, bits=8, halved=False)
    assert 0 < np.abs(back.astype(int) - picture).max() <= 2


def test_halved_chroma_of_odd_sides(picture: Pixels) -> None:
    odd = picture[:47, :63]
    frame = ycbcr_frame(odd, bits=10, halved=True)
    assert frame_size(odd.shape, halved=True) == (64, 48) and len(frame) == 2 * 48 * 64 * 3 // 2
    back = rgb_from_frame(frame, odd.shape, bits=10, halved=True)
    assert back.shape == odd.shape and np.abs(back.astype(int) - odd).mean() < 6


def test_known_colours() -> None:
    colours = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]]], np.uint8)
    luma, blue, red = np.frombuffer(ycbcr_frame(colours, bits=8, halved=False), np.uint8).reshape(3, 4)
    assert luma.tolist() == [255, 0, 54, 18]
    assert blue.tolist() == [128, 128, 99, 255] and red.tolist() == [128, 128, 255, 116]
