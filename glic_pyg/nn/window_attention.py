"""Attention over a window graph in cache-sized blocks of cells, forward and backward.

The largest tensor of a block is ``cells x heads x 64 x 256``; nothing of that kind is kept between
blocks or for the backward pass, which recomputes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from glic_pyg.graph import WindowGraph

CELLS_AT_ONCE = 8


def window_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, graph: WindowGraph) -> Tensor:
    """Every node reads the candidates that its adjacency keeps.

    Args:
        q, k, v: ``(B, N, heads, d)`` per real node; q already carries the logit scale. Phantom
            candidates have k = v = 0.
        bias: ``(heads, 64, 256)`` added to the logits.
        graph: adjacency over the same maps.

    Returns:
        ``(B, N, heads, d)``, the softmax-weighted sums of v.
    """
    return _WindowAttention.apply(q, k, v, bias, graph)


class _WindowAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, graph: WindowGraph) -> Tensor:
        bias = bias.to(q.dtype)
        ctx.save_for_backward(q, k, v, bias)
        ctx.graph = graph
        out = torch.empty_like(q)
        for block in _blocks(graph):
            logits_mask = bias + block.keep(q.dtype)
            query, key, value = block.nodes(q), block.candidates(k), block.candidates(v)
            block.scatter(F.scaled_dot_product_attention(query, key, value, attn_mask=logits_mask, scale=1.0), out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, bias = ctx.saved_tensors
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        grad_bias = torch.zeros_like(bias)
        for block in _blocks(ctx.graph):
            query, key, value, grad = block.nodes(q), block.candidates(k), block.candidates(v), block.nodes(grad_out)
            weights = ((query @ key.mT).add_(bias).add_(block.keep(q.dtype))).softmax(-1)
            block.accumulate(weights.mT @ grad, grad_v)
            grad_weights = grad @ value.mT
            grad_logits = (grad_weights - (weights * grad_weights).sum(-1, keepdim=True)).mul_(weights)
            grad_bias += grad_logits.sum(0)
            block.scatter(grad_logits @ key, grad_q)
            block.accumulate(grad_logits.mT @ query, grad_k)
        return grad_q, grad_k, grad_v, grad_bias, None


class _Block:
    """A few cells of one image: how their nodes and candidates are read and written."""

    def __init__(self, graph: WindowGraph, image: int, cells: slice) -> None:
        geometry = graph.cells
        self.image = image
        self.mask = graph.attended(image, cells)
        self.node_ids, self.candidate_ids = geometry.gather_nodes[cells], geometry.gather_candidates[cells]
        self.fillers = self._outside(self.node_ids, geometry.num_real)
        self.phantoms = self._outside(self.candidate_ids, geometry.num_real)

    @staticmethod
    def _outside(ids: Tensor, num_real: int) -> Tensor | None:
        outside = ids >= num_real
        return outside if bool(outside.any()) else None

    def keep(self, dtype: torch.dtype) -> Tensor:
        """0 where an edge is, -inf elsewhere, ``(cells, 1, q, s)``."""
        zero = torch.zeros((), dtype=dtype, device=self.mask.device)
        return torch.where(self.mask, zero, -torch.inf)[:, None]

    def nodes(self, rows: Tensor) -> Tensor:
        """``(B, N, heads, d)`` -> ``(cells, heads, q, d)``."""
        return self._gather(rows, self.node_ids, self.fillers)

    def candidates(self, rows: Tensor) -> Tensor:
        """``(B, N, heads, d)`` -> ``(cells, heads, s, d)``, zero at phantoms."""
        return self._gather(rows, self.candidate_ids, self.phantoms)

    def scatter(self, values: Tensor, rows: Tensor) -> None:
        """Write ``(cells, heads, q, d)`` to the nodes' rows; each node belongs to one cell."""
        ids, values = self._real(values, self.node_ids, self.fillers)
        rows[self.image].index_copy_(0, ids, values)

    def accumulate(self, values: Tensor, rows: Tensor) -> None:
        """Add ``(cells, heads, s, d)`` to the candidates' rows."""
        ids, values = self._real(values, self.candidate_ids, self.phantoms)
        rows[self.image].index_add_(0, ids, values)

    def _gather(self, rows: Tensor, ids: Tensor, outside: Tensor | None) -> Tensor:
        if outside is None:
            return rows[self.image][ids].transpose(1, 2)
        taken = rows[self.image][ids.masked_fill(outside, 0)]
        return taken.masked_fill_(outside[..., None, None], 0).transpose(1, 2)

    @staticmethod
    def _real(values: Tensor, ids: Tensor, outside: Tensor | None) -> tuple[Tensor, Tensor]:
        values = values.transpose(1, 2)
        if outside is None:
            return ids.flatten(), values.flatten(0, 1)
        return ids[~outside], values[~outside]


def _blocks(graph: WindowGraph) -> Iterator[_Block]:
    cells = graph.cells.nodes.shape[0]
    for image in range(graph.batch_size):
        for first in range(0, cells, CELLS_AT_ONCE):
            yield _Block(graph, image, slice(first, min(first + CELLS_AT_ONCE, cells)))
