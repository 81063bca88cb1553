"""Every family of q_theta with a few hundred parameters and everything the large ones have."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from glic_pyg.regularizer.families import (
    AttentionSource,
    AutoregressiveSource,
    ELICSource,
    GLICSource,
    HyperpriorSource,
)
from glic_pyg.regularizer.mlicpp import MLICppSource
from glic_pyg.regularizer.source_model import SourceModel

TINY: dict[str, Callable[[], SourceModel]] = {
    "hyperprior": lambda: HyperpriorSource(width=6, patch=2),
    "autoregressive": lambda: AutoregressiveSource(width=6, patch=2),
    "attention": lambda: AttentionSource(width=6, patch=2),
    "elic": lambda: ELICSource(width=4, context_widths=(4, 4), groups=(3, 3, 6), patch=2),
    "mlicpp": lambda: MLICppSource(4, 3, 2, 3, channel_widths=(4, 4), parameter_widths=(8, 8, 8), patch=2),
    "glic": lambda: GLICSource(4, 1, 1, 1, 4, 4, groups=(3, 3, 6), patch=2),
}


@pytest.fixture(autouse=True)
def seed() -> Iterator[None]:
    """Every test draws the same weights and inputs, whichever tests ran before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        yield


@pytest.fixture(params=list(TINY))
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def fresh(family: str) -> SourceModel:
    """As it is when training begins: its last layers are zero."""
    return TINY[family]()


@pytest.fixture
def awake(fresh: SourceModel) -> SourceModel:
    """With all weights random, so that every context is felt, in float64."""
    with torch.no_grad():
        for parameter in fresh.parameters():
            inputs = parameter[0].numel() if parameter.ndim > 1 else 10
            parameter.copy_(inputs**-0.5 * torch.randn_like(parameter))
    return fresh.double()


def images(count: int, height: int = 8, width: int = 8, dtype: torch.dtype = torch.float64) -> Tensor:
    """8-bit images / 255, ``(count, 3, height, width)``."""
    return torch.randint(256, (count, 3, height, width)).to(dtype) / 255


@pytest.fixture
def x() -> Tensor:
    return images(1)


@pytest.fixture
def x_hat(x: Tensor) -> Tensor:
    """A reconstruction that leaves [0, 1] here and there."""
    return x + 0.1 * torch.randn_like(x)
