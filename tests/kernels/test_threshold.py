"""Edge selection in C keeps the edges that torch operators keep."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.decoder_settings import threads
from glic_pyg import kernels
from glic_pyg.graph import GraphBuilder, build_radius_graph
from glic_pyg.graph.threshold import bisect, keep_top
from glic_pyg.kernels.library import load, usable_libraries

pytestmark = pytest.mark.skipif(not kernels.available(), reason="the C library is not compiled")

METHODS = [keep_top, bisect]


def in_torch(method: Callable[..., Tensor], *arguments: Tensor, **options: Tensor | None) -> Tensor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLIC_KERNELS", "0")
        return method(*arguments, **options)


def ordinary(*shape: int) -> Tensor:
    return torch.rand(*shape) * 2 - 1


def tied(*shape: int) -> Tensor:
    return (ordinary(*shape) * 3).round() / 3  # zeros of both signs among them


def flat(*shape: int) -> Tensor:
    similarity = 0.9 + 1e-6 * torch.rand(*shape)  # neighbouring numbers
    similarity[..., 0] = 1
    return similarity


def tiny(*shape: int) -> Tensor:
    return ordinary(*shape) * 10.0 ** -torch.randint(0, 42, shape)


def cases(shape: tuple[int, ...], make: Callable[..., Tensor]) -> list[tuple[Tensor, Tensor, Tensor | None]]:
    """Similarities, degrees and valid places: all, those that a group of rows shares, those of each row."""
    similarity, places = make(*shape), shape[-1]
    found: list[tuple[Tensor, Tensor, Tensor | None]] = [
        (similarity, torch.randint(0, places + 1, shape[:-1]).float(), None)
    ]
    for rows in (1, shape[-2]):
        valid = torch.rand(*shape[:-2], rows, places) < 0.6
        valid[..., -1] = True
        most = valid.sum(-1).expand(shape[:-1])
        found.append((similarity, (torch.rand(shape[:-1]) * (most + 1)).floor(), valid))
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [ordinary, tied, flat, tiny])
@pytest.mark.parametrize("shape", [(3, 64, 256), (2, 5, 7, 33), (4, 9, 1), (20, 100)])
def test_equals_torch(
    shape: tuple[int, ...], make: Callable[..., Tensor], method: Callable[..., Tensor]
) -> None:
    for similarity, degrees, valid in cases(shape, make):
        assert kernels.can_select(similarity, degrees)
        expected = in_torch(method, similarity, degrees, valid=valid)
        assert torch.equal(method(similarity, degrees, valid=valid), expected)
        if method is keep_top:
            assert torch.equal(expected.sum(-1), degrees.long())
        out = torch.ones_like(expected)
        assert method(similarity, degrees, valid=valid, out=out) is out and torch.equal(out, expected)


@pytest.mark.parametrize("method", METHODS)
def test_every_row_gets_an_answer(method: Callable[..., Tensor]) -> None:
    """However strange its numbers: no endless search, and never more edges than asked for by keep_top."""
    strange = torch.tensor([torch.nan, torch.inf, -torch.inf, 3e38, -3e38, 1e-45, -1e-45, 0.0, -0.0])
    similarity = strange[torch.randint(0, len(strange), (2000, 24))]
    degrees = strange.abs()[torch.randint(0, len(strange), (2000,))]
    degrees[::2] = torch.randint(-2, 30, (1000,)).float()
    found = method(similarity, degrees)
    if method is keep_top:
        assert (found.sum(-1) <= degrees.nan_to_num(24, 24).clamp(0, 24)).all()


@pytest.mark.parametrize("method", METHODS)
def test_threads_do_not_matter(method: Callable[..., Tensor]) -> None:
    similarity, degrees, valid = cases((30, 64, 256), ordinary)[1]
    results = []
    for count in (1, 3):
        with threads(count):
            results.append(method(similarity, degrees, valid=valid))
    assert torch.equal(*results)


@pytest.mark.parametrize("method", METHODS)
def test_every_level_of_instructions(method: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    similarity, degrees, valid = cases((30, 64, 250), tied)[1]
    expected = in_torch(method, similarity, degrees, valid=valid)
    for found in map(load, usable_libraries()):
        monkeypatch.setattr(kernels.library, "functions", lambda found=found: found)
        assert torch.equal(method(similarity, degrees, valid=valid), expected)


@pytest.mark.parametrize("padding", [True, False])
@pytest.mark.parametrize("method", ["exact", "bisection"])
def test_graphs_are_the_same(method: str, padding: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 12, 19, 35)
    x[0, :, 5:12, 3:20] = x[0, :, 5:6, 3:4]  # a flat place
    builder = GraphBuilder(method=method, padding=padding)  # type: ignore[arg-type]
    ours, disc = builder(x), build_radius_graph(x, radius=5, method=method).edge_index
    monkeypatch.setenv("GLIC_KERNELS", "0")
    for kind, graph in builder(x).items():
        assert torch.equal(ours[kind].mask, graph.mask)
    assert torch.equal(disc, build_radius_graph(x, radius=5, method=method).edge_index)


def test_what_it_leaves_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    similarity, degrees = ordinary(4, 64, 256), torch.ones(4, 64)
    assert kernels.can_select(similarity, degrees)
    for other in (similarity.double(), similarity.bfloat16(), similarity.mT, similarity.to("meta")):
        assert not kernels.can_select(other, degrees)
    assert not kernels.can_select(similarity, degrees.double())
    monkeypatch.setenv("GLIC_KERNELS", "0")
    assert not kernels.can_select(similarity, degrees)
