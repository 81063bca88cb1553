"""A GLIC of a few thousand weights and an image for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from glic_pyg.codec.pixels import ExtendedImage
from glic_pyg.inspection.attention import BlockGraphs
from glic_pyg.inspection.inspect import Inspection, inspect_image
from glic_pyg.models.glic import GLIC


@pytest.fixture(scope="session")
def tiny_glic() -> GLIC:
    torch.manual_seed(0)
    return GLIC(
        widths=(4, 8, 8, 8),
        gated_depth=1,
        gated_expansion=1,
        gfa_depth=2,
        gfa_expansions=(1, 1),
        heads=2,
        hyper_channels=4,
        hyper_depth=1,
        groups=(4, 4),
        context_expansion=1,
        context_width=4,
        parameter_width=4,
    ).eval()


@pytest.fixture(scope="session")
def image() -> NDArray[np.uint8]:
    """200 x 130: flat on the left, noise on the right; (130, 200, 3) uint8."""
    pixels = np.full((130, 200, 3), 90, np.uint8)
    pixels[:, 100:] = np.random.default_rng(0).integers(0, 256, (130, 100, 3))
    return pixels


@pytest.fixture(scope="session")
def x(image: NDArray[np.uint8]) -> Tensor:
    """The image, continued to 208 x 144 pixels."""
    return ExtendedImage(image, 16, torch.device("cpu")).rows(0, 144)


@pytest.fixture(scope="session")
def inspection(tiny_glic: GLIC, image: NDArray[np.uint8]) -> Inspection:
    """Of the tiny model and the image."""
    return inspect_image(tiny_glic, image, name="noise", weights="tiny")


@pytest.fixture(scope="session")
def graphs(inspection: Inspection) -> BlockGraphs:
    """Of the last block of g_a: 18 x 26 nodes, 8 pixels each."""
    return inspection.block("g_a stage 2")
