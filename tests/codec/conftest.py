"""Tiny codecs and small images for every test of files."""

from __future__ import annotations

import numpy as np
import pytest

from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.models.weights import weights_hash
from tests.tiny_backbone import TinyBackbone
from tests.tiny_cosines import tiny_cosines


@pytest.fixture(scope="session")
def codec() -> ImageCodec:
    model = TinyBackbone()
    return ImageCodec(model, "tiny", weights_hash(model))


@pytest.fixture(scope="session")
def variable_codec() -> ImageCodec:
    """Its bytes and its PSNR rise with the quality."""
    model = tiny_cosines()
    return ImageCodec(model, "tiny-variable", weights_hash(model))


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """A colourful uint8 (90, 130, 3) image: smooth, with an edge and some grain."""
    rows, columns = np.mgrid[0:90, 0:130]
    grain = np.random.default_rng(3).normal(0, 6, (90, 130, 3))
    waves = np.stack([rows * 2, columns * 1.5, 128 + 90 * np.sin(rows / 9 + columns / 13)], axis=-1)
    waves[20:50, 30:80] = (200, 40, 90)
    return np.clip(waves + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def smooth() -> np.ndarray:
    """A uint8 (256, 384, 3) image of low frequencies, which the variable codec's few cosines can draw."""
    rows, columns = np.mgrid[0:256, 0:384]
    waves = [128 + 100 * np.sin(rows / a + columns / b) for a, b in ((31, 45), (60, 37), (43, 90))]
    return np.stack(waves, axis=-1).astype(np.uint8)
