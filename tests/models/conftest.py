"""A GLIC of about 90,000 parameters with every part of the large ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from glic_pyg.models.glic import GLIC

TINY: dict[str, Any] = {
    "widths": (8, 8, 12, 16),
    "gated_depth": 1,
    "gated_expansion": 2,
    "gfa_depth": 2,
    "gfa_expansions": (2, 1),
    "heads": 2,
    "hyper_channels": 6,
    "hyper_depth": 1,
    "groups": (4, 4, 8),
    "context_expansion": 2,
    "context_width": 6,
    "parameter_width": 8,
}


@pytest.fixture(scope="session")
def whole() -> GLIC:
    """The released size, without memory for its weights."""
    with torch.device("meta"):
        return GLIC()


@pytest.fixture(autouse=True)
def seed() -> Iterator[None]:
    """Every test draws the same weights and inputs, whichever tests ran before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        yield


@pytest.fixture
def tiny() -> GLIC:
    """Freshly initialised, in eval mode, with medians of z off zero."""
    model = GLIC(**TINY)
    with torch.no_grad():
        model.latent_codec.hyper.entropy_bottleneck.quantiles.add_(torch.randn(6, 1, 1))
    return model.eval()
