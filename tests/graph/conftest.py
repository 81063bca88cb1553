"""Feature maps for the graph tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

REFERENCE = Path(__file__).parents[1] / "reference" / "gfa_graphs.npz"

# One node, smaller than a cell, not divided by 8, divided by 8 and not by 16, divided by 16.
SIZES = [(1, 1), (3, 5), (13, 21), (40, 24), (16, 32)]


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    return request.param


@pytest.fixture
def feature_map() -> Callable[..., Tensor]:
    """Makes maps with smooth and rough parts, so that degrees and similarities vary."""

    def make(height: int, width: int, *, batch: int = 2, channels: int = 12, dtype=torch.float32) -> Tensor:
        generator = torch.Generator().manual_seed(height * 1000 + width)
        coarse = torch.randn(batch, channels, 3, 3, generator=generator, dtype=dtype)
        smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
        noise = torch.randn(batch, channels, height, width, generator=generator, dtype=dtype)
        return smooth + noise * torch.linspace(0.02, 1, width, dtype=dtype)

    return make


@pytest.fixture(scope="session")
def reference() -> dict[str, Tensor]:
    """Input, complexity and adjacency of one GFA block, written by the authors' implementation in float64."""
    with np.load(REFERENCE) as stored:
        arrays = {name: stored[name] for name in stored.files}
    masks = {kind: np.unpackbits(arrays[f"gfa_{kind}"], axis=-1).astype(bool) for kind in ("local", "mesh")}
    numbers = {name: torch.from_numpy(arrays[f"gfa_{name}"]).double() for name in ("input", "complexity")}
    return numbers | {kind: torch.from_numpy(mask) for kind, mask in masks.items()}


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """``torch.set_num_threads`` that is undone after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def latents() -> Tensor:
    """Multiples of 1/256, as decoded latents are; many of them equal, so that similarities tie."""
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 24, 16, 24, generator=generator).mul(2).round().double() + 37 / 256
