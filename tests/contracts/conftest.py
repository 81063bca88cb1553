"""Every test of this folder runs for every backbone, on the same photograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tests.contracts.backbones import BACKBONES, lively, untrained

SAMPLE = Path(__file__).parents[2] / "data" / "samples" / "dog.png"


@pytest.fixture(scope="session")
def sample() -> np.ndarray:
    """A crop of a photograph, uint8 (128, 256, 3)."""
    return np.asarray(Image.open(SAMPLE).convert("RGB"))[180:308, 160:416].copy()


@pytest.fixture(scope="session")
def x(sample: np.ndarray) -> Tensor:
    """The crop for a model, (1, 3, 128, 256) in [0, 1]."""
    return torch.from_numpy(sample).permute(2, 0, 1)[None] / 255


@pytest.fixture(params=BACKBONES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(name: str) -> nn.Module:
    """Untrained, in eval mode."""
    return untrained(name)


@pytest.fixture
def lively_model(name: str, x: Tensor) -> nn.Module:
    """With latents of several values."""
    return lively(name, x)
