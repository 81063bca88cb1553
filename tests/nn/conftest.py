"""Feature maps and graphs for the layer tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from glic_pyg.graph import WindowGraph, build_graphs
from glic_pyg.nn import GFAConv

GraphMaker = Callable[[Tensor, str], WindowGraph]


@pytest.fixture(autouse=True)
def seed() -> Iterator[None]:
    """Every test draws the same weights and inputs, whichever tests ran before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        yield


@pytest.fixture
def graph_with_isolated_node() -> GraphMaker:
    """The graph of a map, with the last node of the first image's first cell robbed of its edges."""

    def make(x: Tensor, kind: str) -> WindowGraph:
        graph = build_graphs(x)[kind]
        mask = graph.mask.clone()
        mask[0, 0, graph.cells.real[0].nonzero()[-1]] = False
        return replace(graph, mask=mask)

    return make


@pytest.fixture(params=["C", "torch", "messages"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How attention along an ``edge_index`` is computed: see :func:`on_path`."""
    monkeypatch.setenv("GLIC_KERNELS", "0" if request.param == "torch" else "1")
    return str(request.param)


def on_path(conv: GFAConv, path: str) -> GFAConv:
    conv.fused = path != "messages"
    return conv


def difference(a: Tensor, b: Tensor) -> float:
    """Largest difference relative to the largest value."""
    return ((a - b).abs().max() / b.abs().max()).item()
