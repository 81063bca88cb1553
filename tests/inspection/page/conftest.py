"""Pages of a tiny model, opened in a browser."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glic_pyg.inspection.inspect import Inspection, inspect_image
from glic_pyg.inspection.page import write_page
from glic_pyg.models.compressai import Hyperprior
from glic_pyg.models.glic import GLIC


@dataclass(frozen=True)
class SomeFields:
    """Two receptive fields: the left half of the image and its lower right corner."""

    positions: NDArray[np.int64]
    maps: NDArray[np.float32]


@pytest.fixture(scope="session")
def fields(image: NDArray[np.uint8]) -> SomeFields:
    maps = np.zeros((2, *image.shape[:2]), np.float32)
    maps[0, :, :100] = 1 / (130 * 100)
    maps[1, 64:, 128:] = 1 / (66 * 72)
    return SomeFields(np.array([[4, 2], [6, 10]]), maps)


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory, inspection: Inspection, fields: SomeFields) -> Path:
    path = tmp_path_factory.mktemp("page") / "one.html"
    write_page(inspection, path, fields=fields)
    return path


@pytest.fixture(scope="session")
def second(tiny_glic: GLIC, image: NDArray[np.uint8]) -> Inspection:
    """Of another image of another shape, whose name is no markup."""
    return inspect_image(tiny_glic, image.transpose(1, 0, 2).copy(), name="<b>turned</b>", weights="tiny")


@pytest.fixture(scope="session")
def two_file(tmp_path_factory: pytest.TempPathFactory, inspection: Inspection, second: Inspection) -> Path:
    path = tmp_path_factory.mktemp("page") / "two.html"
    write_page(inspection, path, second=second)
    return path


@pytest.fixture(scope="session")
def graphless_file(tmp_path_factory: pytest.TempPathFactory, image: NDArray[np.uint8]) -> Path:
    """Of a model without graphs, at the left; what it decoded is the image itself."""
    seen = inspect_image(Hyperprior(channels=4, latent_channels=4).eval(), image, name="plain")
    path = tmp_path_factory.mktemp("page") / "graphless.html"
    write_page(replace(seen, decoded=image), path)
    return path
