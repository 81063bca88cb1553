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
from glic_pyg.nn import GFAConv
from tests.nn.conftest import GraphMaker

HEADS, CHANNELS = 8, 16


def rows_of(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def dense(conv: GFAConv, rows: Tensor, graph: WindowGraph) -> Tensor:
    """One cell of one image at a time; edges that are not there at minus infinity."""
    cells, out = graph.cells, []
    q, k, v = (t.unflatten(-1, (HEADS, -1)) for t in (conv.to_q(rows), *conv.to_kv(rows).chunk(2, -1)))
    scale = conv.log_scale.exp()[:, None, None]
    bias = conv.position_bias(cells.lattice_offsets()).permute(2, 0, 1)
    for image in range(len(rows)):
        query, key, value = (
            torch.cat([t[image], t.new_zeros(cells.num_nodes, *t.shape[2:])]) for t in (q, k, v)
        )
        read = torch.zeros_like(q[image])
        for cell in range(len(cells.nodes)):
            nodes, candidates, real = cells.nodes[cell], cells.candidates[cell], cells.real[cell]
            mask = graph.mask[image, cell]
            cosines = torch.cosine_similarity(query[nodes][:, None], key[candidates][None], dim=-1, eps=1e-12)
            logits = (scale * cosines.permute(2, 0, 1) + bias).masked_fill(~mask, -torch.inf)
            weights = logits.softmax(-1).nan_to_num(0)  # of a node without edges
            attended = torch.einsum("hqs,shd->qhd", weights, value[candidates])
            read = read.index_copy(0, nodes[real], attended[real])
        out.append(read.flatten(1))
    return conv.out(torch.stack(out))


@pytest.mark.parametrize("kind", ["local", "mesh"])
@pytest.mark.parametrize("size", [(16, 16), (9, 20)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_equals_dense_attention(
    graph_with_isolated_node: GraphMaker, size: tuple[int, int], kind: str
) -> None:
    x = torch.randn(2, CHANNELS, *size, dtype=torch.float64)
    graph, conv = graph_with_isolated_node(x, kind), GFAConv(CHANNELS, heads=HEADS).double()
    torch.nn.init.normal_(conv.log_scale)
    variables = [rows_of(x).requires_grad_(), *conv.parameters()]
    results = [conv(variables[0], graph), dense(conv, variables[0], graph)]
    torch.testing.assert_close(*results, rtol=1e-11, atol=1e-11)
    weight = torch.randn_like(results[0])
    gradients = [torch.autograd.grad((out * weight).sum(), variables) for out in results]
    for fast, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, expected, rtol=1e-9, atol=1e-10)


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
    """Sizes of the floating tensors kept for the backward pass; the mask is the graph's own."""
    sizes: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel() * tensor.is_floating_point())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield sizes


@pytest.mark.parametrize("kind", ["local", "mesh"])
def test_nothing_of_the_size_of_all_logits_exists(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Working memory is that of a block of cells: it stops growing, while all logits grow with the map."""
    monkeypatch.setenv("GLIC_KERNELS", "0")
    largest = {}
    for side in (64, 96):
        x = torch.randn(1, CHANNELS, side, side)
        graph, conv = build_graphs(x)[kind], GFAConv(CHANNELS, heads=HEADS)
        with Largest() as seen, saved_elements() as saved:
            conv(rows_of(x).requires_grad_(), graph).sum().backward()
        logits = graph.mask.numel() * HEADS
        largest[side] = seen.elements
        assert seen.elements < logits / 4
        assert sum(saved) < logits / 4
    assert largest[96] <= largest[64] * 1.01
