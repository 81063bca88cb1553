"""Small images to measure with."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    """64 x 48 RGB: soft shapes and some noise, (48, 64, 3) uint8."""
    return soft_image(48, 64)


@pytest.fixture
def large_pixels() -> NDArray[np.uint8]:
    """Just large enough for MS-SSIM, (161, 170, 3) uint8."""
    return soft_image(161, 170)


def soft_image(height: int, width: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(rows / 9 + k) + np.cos(columns / 7 - k) for k in range(3)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 6, waves.shape)
    return (128 + 50 * waves + noise).clip(0, 255).round().astype(np.uint8)
