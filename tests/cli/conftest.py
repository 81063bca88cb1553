"""The command with a tiny model in place of shipped weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glic_pyg.codec import api
from glic_pyg.codec.weights_store import Weights
from glic_pyg.models.weights import weights_hash
from tests.tiny_backbone import TinyBackbone
from tests.tiny_cosines import tiny_cosines


@pytest.fixture
def tiny_weights(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``glic`` finds one set of shipped weights, called tiny."""
    yield from _shipped(TinyBackbone(), monkeypatch)


@pytest.fixture
def tiny_variable_weights(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same with weights of variable rate."""
    yield from _shipped(tiny_cosines(), monkeypatch)


def _shipped(model: TinyBackbone, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    weights = Weights("tiny", weights_hash(model), model)
    monkeypatch.setattr(api, "load_shipped", lambda name: weights)
    monkeypatch.setattr(api, "default_name", lambda: "tiny")
    api._from_name.cache_clear()
    yield
    api._from_name.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with two small images: a.png and b.jpg."""
    monkeypatch.chdir(tmp_path)
    rows, columns = np.mgrid[0:40, 0:56]
    pixels = np.stack([rows * 6, columns * 4, rows + columns], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save("a.png")
    Image.fromarray(255 - pixels).save("b.jpg", quality=90)
    return tmp_path
