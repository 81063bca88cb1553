"""Feature maps and graphs for the layer tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from glic_pyg.graph import WindowGraph, build_graphs

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
