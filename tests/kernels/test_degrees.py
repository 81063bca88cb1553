"""Degrees scaled in C are those that torch operators give, to the last step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.decoder_settings import threads
from glic_pyg import kernels
from glic_pyg.graph import local_cells, mesh_cells, target_degrees, whole_degrees
from glic_pyg.graph.degree import STEPS, _scale_to
from glic_pyg.kernels.library import load, usable_libraries

pytestmark = pytest.mark.skipif(not kernels.available(), reason="the C library is not compiled")


def arguments(shape: tuple[int, ...], spread: float) -> list[Tensor]:
    """Rows, budgets, lower and upper limits in steps; some limits are 0, some budgets cannot be met."""
    upper = torch.randint(0, 257, shape[-2:])
    budget = (torch.rand(*shape[:-1], 1) * 1.2 * upper.sum(-1, keepdim=True)).long()
    rows = ((torch.randn(shape) * spread).exp().double() * 20).clamp(max=256) * (upper > 0)
    return [rows * STEPS, budget * STEPS, upper.clamp(max=1) * STEPS, upper * STEPS]


def in_torch(rows: Tensor, budget: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLIC_KERNELS", "0")
        return _scale_to(rows, budget, lower, upper)


@pytest.mark.parametrize("shape", [(2, 30, 64), (1, 3, 1), (3, 5, 17), (1, 1, 5000)])
@pytest.mark.parametrize("spread", [0.1, 1.0, 8.0])
def test_equals_torch(shape: tuple[int, ...], spread: float) -> None:
    numbers = arguments(shape, spread)
    assert kernels.can_scale(numbers[0])
    assert torch.equal(_scale_to(*numbers), in_torch(*numbers))


def test_threads_do_not_matter() -> None:
    numbers, results = arguments((4, 200, 64), 1.0), []
    for count in (1, 3):
        with threads(count):
            results.append(_scale_to(*numbers))
    assert torch.equal(*results)


def test_every_level_of_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = arguments((2, 40, 61), 1.0)
    expected = in_torch(*numbers)
    for found in map(load, usable_libraries()):
        monkeypatch.setattr(kernels.library, "functions", lambda found=found: found)
        assert torch.equal(_scale_to(*numbers), expected)


@pytest.mark.parametrize("make", [local_cells, mesh_cells])
@pytest.mark.parametrize("scope", ["cell", "image"])
def test_whole_degrees_are_the_same(scope: str, make, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = make(40, 52)
    degrees = target_degrees(torch.randn(2, 40, 52).mul(2).exp(), cells, scope=scope)
    ours = whole_degrees(degrees, cells.real * 256, scope=scope)
    monkeypatch.setenv("GLIC_KERNELS", "0")
    assert torch.equal(ours, whole_degrees(degrees, cells.real * 256, scope=scope))
