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

LOGITS_AT_ONCE = 2**20
NO_EDGE = -1e30


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
        q, k, v = (_with_phantom(t) for t in (q, k, v))
        ctx.save_for_backward(q, k, v, bias)
        ctx.graph = graph
        out = torch.empty_like(q)
        for nodes, candidates, mask in _blocks(graph, bias.shape[0]):
            query, key, value = _gather(q, nodes), _gather(k, candidates), _gather(v, candidates)
            attended = F.scaled_dot_product_attention(query, key, value, bias + _keep(mask, q.dtype), scale=1.0)
            out.index_copy_(0, nodes.flatten(), attended.transpose(1, 2).flatten(0, 1))
        return _without_phantom(out, graph)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, bias = ctx.saved_tensors
        grad_out = _with_phantom(grad_out)
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        grad_bias = torch.zeros_like(bias, dtype=torch.float32 if bias.dtype != torch.float64 else None)
        for nodes, candidates, mask in _blocks(ctx.graph, bias.shape[0]):
            query, key, value = _gather(q, nodes), _gather(k, candidates), _gather(v, candidates)
            grad = _gather(grad_out, nodes)
            weights = (query @ key.mT).add_(bias).add_(_keep(mask, q.dtype)).softmax(-1)
            _accumulate(grad_v, candidates, weights.mT @ grad)
            grad_logits = grad @ value.mT
            grad_logits -= (weights * grad_logits).sum(-1, keepdim=True)
            grad_logits *= weights
            grad_bias += grad_logits.sum(0)
            grad_q.index_copy_(0, nodes.flatten(), (grad_logits @ key).transpose(1, 2).flatten(0, 1))
            _accumulate(grad_k, candidates, grad_logits.mT @ query)
        grads = (_without_phantom(g, ctx.graph) for g in (grad_q, grad_k, grad_v))
        return (*grads, grad_bias.to(bias.dtype), None)


def _with_phantom(rows: Tensor) -> Tensor:
    """``(B, N, heads, d)`` -> ``(B * N + 1, heads, d)``: the last row is the phantoms' zero."""
    return F.pad(rows.flatten(0, 1), (0, 0, 0, 0, 0, 1))


def _without_phantom(rows: Tensor, graph: WindowGraph) -> Tensor:
    return rows[:-1].unflatten(0, (graph.batch_size, graph.cells.num_real))


def _blocks(graph: WindowGraph, heads: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Node rows (cells, q), candidate rows (cells, s) and adjacency (cells, q, s), a few cells at a time."""
    nodes, candidates, mask = graph.attention_rows
    at_once = max(1, LOGITS_AT_ONCE // (heads * mask[0].numel()))
    yield from zip(nodes.split(at_once), candidates.split(at_once), mask.split(at_once), strict=True)


def _keep(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where an edge is and a huge negative elsewhere, ``(cells, 1, q, s)``."""
    return mask.view(torch.uint8).to(dtype).sub_(1).mul_(-NO_EDGE)[:, None]


def _gather(rows: Tensor, ids: Tensor) -> Tensor:
    """``(rows, heads, d)`` -> ``(cells, heads, slots, d)``."""
    return rows[ids].transpose(1, 2)


def _accumulate(rows: Tensor, ids: Tensor, values: Tensor) -> None:
    """Add ``(cells, heads, slots, d)`` to the rows."""
    rows.index_add_(0, ids.flatten(), values.transpose(1, 2).flatten(0, 1))
