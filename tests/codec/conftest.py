"""A tiny codec and small pictures for every test of files."""

from __future__ import annotations

import numpy as np
import pytest

from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.models.weights import weights_hash
from tests.tiny_backbone import TinyBackbone


@pytest.fixture(scope="session")
def codec() -> ImageCodec:
    model = TinyBackbone()
    return ImageCodec(model, "tiny", weights_hash(model))


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """A colourful uint8 (90, 130, 3) picture: smooth, with an edge and some grain."""
    rows, columns = np.mgrid[0:90, 0:130]
    grain = np.random.default_rng(3).normal(0, 6, (90, 130, 3))
    waves = np.stack([rows * 2, columns * 1.5, 128 + 90 * np.sin(rows / 9 + columns / 13)], axis=-1)
    waves[20:50, 30:80] = (200, 40, 90)
    return np.clip(waves + grain, 0, 255).astype(np.uint8)
