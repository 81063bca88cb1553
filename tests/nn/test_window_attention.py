"""Attention over a window graph: against dense attention, and how much memory it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glic_pyg.graph import WindowGraph, build_graphs
from glic_pyg.nn import window_attention
from tests.nn.conftest import GraphMaker

HEADS, WIDTH = 8, 4
SLOTS = (64, 256)


def inputs(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """q, k, v and bias for a map."""
    shape = (x.shape[0], x.shape[2] * x.shape[3], HEADS, WIDTH)
    rows = [torch.randn(shape, dtype=x.dtype, requires_grad=True) for _ in range(3)]
    return (*rows, torch.randn(HEADS, *SLOTS, dtype=x.dtype, requires_grad=True))


def dense(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, graph: WindowGraph) -> Tensor:
    """One cell of one image at a time; edges that are not there at minus infinity."""
    cells, out = graph.cells, []
    for image in range(len(q)):
        padded = [torch.cat([t[image], t.new_zeros(cells.num_nodes, *t.shape[2:])]) for t in (q, k, v)]
        rows = torch.zeros_like(q[image])
        for cell in range(len(cells.nodes)):
            nodes, candidates = cells.nodes[cell], cells.candidates[cell]
            mask = graph.mask[image, cell]
            mask = mask | ~mask.any(-1, keepdim=True)
            logits = torch.einsum("qhd,shd->hqs", padded[0][nodes], padded[1][candidates]) + bias
            weights = logits.masked_fill(~mask, -torch.inf).softmax(-1)
            read = torch.einsum("hqs,shd->qhd", weights, padded[2][candidates])
            real = cells.real[cell]
            rows = rows.index_copy(0, nodes[real], read[real])
        out.append(rows)
    return torch.stack(out)


@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize("size", [(16, 16), (9, 20)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_equals_dense_attention(graph_with_lonely_node: GraphMaker, size: tuple[int, int], kind: str) -> None:
    x = torch.randn(2, 6, *size, dtype=torch.float64)
    graph, variables = graph_with_lonely_node(x, kind), inputs(x)
    weight = torch.randn(variables[0].shape, dtype=x.dtype)
    results = [attend(*variables, graph) for attend in (window_attention, dense)]
    torch.testing.assert_close(*results, rtol=0, atol=1e-11)
    gradients = [torch.autograd.grad((out * weight).sum(), variables) for out in results]
    for fast, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, expected, rtol=0, atol=1e-10)


class Largest(TorchDispatchMode):
    """Notes the most elements of any floating tensor that an operator returns."""

    elements = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        made = [t.numel() for t in tree_leaves(out) if isinstance(t, Tensor) and t.is_floating_point()]
        self.elements = max(self.elements, *made, 0)
        return out


@contextmanager
def saved_elements() -> Iterator[list[int]]:
    """Sizes of the tensors kept for the backward pass."""
    sizes: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield sizes


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_nothing_of_the_size_of_all_logits_exists(kind: str) -> None:
    """Working memory is that of a block of cells: it stops growing, while all logits grow with the map."""
    largest = {}
    for side in (64, 96):
        x = torch.randn(1, 4, side, side)
        graph, variables = build_graphs(x)[kind], inputs(x)
        with Largest() as seen, saved_elements() as saved:
            window_attention(*variables, graph).sum().backward()
        logits = graph.mask.numel() * HEADS
        largest[side] = seen.elements
        assert seen.elements < logits / 4
        assert sum(saved) < logits / 8
    assert largest[96] <= largest[64] * 1.01
