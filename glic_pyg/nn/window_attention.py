"""Attention over a window graph, forward and backward: in C on CPUs, by torch operators elsewhere.

Both paths are equal and keep nothing of the size of all logits: the backward pass recomputes the weights. By
torch operators a few cells are taken at a time, so that the largest tensor, ``cells x heads x 64 x 256``,
stays in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from glic_pyg import kernels
from glic_pyg.graph import WindowGraph

LOGITS_AT_ONCE = 2**20
NO_EDGE = -1e30
NORM_FLOOR = 1e-12


def window_attention(
    q: Tensor, kv: Tensor, scale: Tensor, bias: Tensor, graph: WindowGraph, *, overwrite: bool = False
) -> Tensor:
    r"""Cosine attention of each node over its neighbours in a window graph (GLIC section 6).

    .. math:: \mathrm{softmax}_j\left(s_a \cos(q_i^a, k_j^a) + b_a(i, j)\right) v_j^a

    A node without an edge reads nothing: its sum is 0.

    Args:
        q: ``(B, N, C)`` queries per real node, head-major.
        kv: ``(B, N, 2C)`` keys, then values. Padding candidates have k = v = 0.
        scale: ``(heads,)`` multiplies the cosines.
        bias: ``(heads, 64, 256)`` added to the logits.
        graph: adjacency over the same maps.
        overwrite: without gradients, the result may take the place of q.

    Returns:
        ``(B, N, C)``, the softmax-weighted sums of v, in the dtype of ``q``.

    Raises:
        ValueError: the tensors do not fit the graph or each other.
    """
    _check(q, kv, scale, bias, graph)
    wide = torch.float32 if q.dtype == torch.float16 else q.dtype  # float16 cannot hold the smallest norm
    arguments = q.to(wide), kv.to(wide), scale, bias, *graph.attention_rows
    if overwrite and _in_place(q, graph):
        return kernels.window_attention_(*arguments)
    attended: Tensor = _WindowAttention.apply(*arguments)
    return attended.to(q.dtype)


def _in_place(q: Tensor, graph: WindowGraph) -> bool:
    return not (torch.is_grad_enabled() or torch.compiler.is_compiling()) and (
        q.dtype == torch.float32 and kernels.can_attend(q, graph.mask.flatten(0, 1))
    )


def _check(q: Tensor, kv: Tensor, scale: Tensor, bias: Tensor, graph: WindowGraph) -> None:
    graph.check_rows(q)
    width, heads = q.shape[-1], len(scale)
    shapes = {"kv": (kv, (*q.shape[:2], 2 * width)), "bias": (bias, (heads, *graph.mask.shape[2:]))}
    for name, (tensor, shape) in shapes.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} has the shape {tuple(tensor.shape)} where {tuple(shape)} is needed")
    if scale.dim() != 1 or not heads or width % heads:
        raise ValueError(
            f"a scale of shape {tuple(scale.shape)} does not fit {width} channels: give one a head"
        )
    if kv.dtype != q.dtype or not q.is_floating_point():
        raise ValueError(f"q and kv must be floating point of one dtype, got {q.dtype} and {kv.dtype}")


class _WindowAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        kv: Tensor,
        scale: Tensor,
        bias: Tensor,
        nodes: Tensor,
        candidates: Tensor,
        mask: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(q, kv, scale, bias, nodes, candidates, mask)
        attend = kernels.window_attention if kernels.can_attend(q, mask) else attend_in_blocks
        return attend(q, kv, scale, bias, nodes, candidates, mask)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, kv, scale, bias, nodes, candidates, mask = ctx.saved_tensors
        fast = kernels.can_attend(q, mask)
        backward = kernels.window_attention_backward if fast else attend_backward_in_blocks
        return *backward(grad_out, q, kv, scale, bias, nodes, candidates, mask), None, None, None


def attend_in_blocks(
    q: Tensor, kv: Tensor, scale: Tensor, bias: Tensor, nodes: Tensor, candidates: Tensor, mask: Tensor
) -> Tensor:
    """:func:`glic_pyg.nn.window_attention` without gradient, by the rows that
    :attr:`WindowGraph.attention_rows <glic_pyg.graph.WindowGraph.attention_rows>` names."""
    scale, bias = scale.to(q.dtype), bias.to(q.dtype)
    query, memory, *_ = _unit_rows(q, kv, scale)
    out = torch.empty_like(query)
    for ids, sources, edges in _blocks(nodes, candidates, mask, len(scale)):
        key, value = _gather(memory, sources).chunk(2, -1)
        bias_here = bias + _keep(edges, q.dtype)
        attended = F.scaled_dot_product_attention(_gather(query, ids), key, value, bias_here, scale=1.0)
        _put(out, ids, attended * _has_edges(edges, q.dtype))
    return out[:-1].view(q.shape)


def attend_backward_in_blocks(
    grad_out: Tensor,
    q: Tensor,
    kv: Tensor,
    scale: Tensor,
    bias: Tensor,
    nodes: Tensor,
    candidates: Tensor,
    mask: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of :func:`attend_in_blocks` at q, kv, scale and bias."""
    dtypes = scale.dtype, bias.dtype
    heads, scale, bias = len(scale), scale.to(q.dtype), bias.to(q.dtype)
    query, memory, q_norm, k_norm = _unit_rows(q, kv, scale)
    grad_out_rows = _padded_rows(_rows(grad_out, heads))
    grad_out_rows[:-1] = _rows(grad_out, heads)
    grad_query, grad_memory = torch.empty_like(query), torch.zeros_like(memory)
    grad_bias = torch.zeros_like(bias, dtype=torch.promote_types(bias.dtype, torch.float32))
    for ids, sources, edges in _blocks(nodes, candidates, mask, heads):
        node_query, grad = _gather(query, ids), _gather(grad_out_rows, ids)
        key, value = _gather(memory, sources).chunk(2, -1)
        weights = (node_query @ key.mT).add_(bias).add_(_keep(edges, bias.dtype)).softmax(-1)
        weights *= _has_edges(edges, bias.dtype)
        grad_value = weights.mT @ grad
        grad_logits = grad @ value.mT
        grad_logits -= (weights * grad_logits).sum(-1, keepdim=True)
        grad_logits *= weights
        grad_bias += grad_logits.sum(0)
        _put(grad_query, ids, grad_logits @ key)
        _accumulate(grad_memory, sources, torch.cat([grad_logits.mT @ node_query, grad_value], -1))
    unit_q = query[:-1] / scale[:, None]
    grad_unit_k, grad_v = grad_memory[:-1].chunk(2, -1)
    grad_scale = (unit_q * grad_query[:-1]).sum((0, 2))
    grad_q = _unit_backward(unit_q, q_norm, grad_query[:-1] * scale[:, None])
    grad_k = _unit_backward(memory[:-1].chunk(2, -1)[0], k_norm, grad_unit_k)
    grad_kv = torch.cat([grad_k.flatten(1), grad_v.flatten(1)], -1)
    return grad_q.view_as(q), grad_kv.view_as(kv), grad_scale.to(dtypes[0]), grad_bias.to(dtypes[1])


def _unit_rows(q: Tensor, kv: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Unit queries times the scale, unit keys beside values (each with a padding row); the norms of both."""
    q_rows, k_rows, v_rows = (_rows(t, len(scale)) for t in (q, *kv.chunk(2, -1)))
    q_norm, k_norm = _norm(q_rows), _norm(k_rows)
    query, memory = _padded_rows(q_rows), _padded_rows(k_rows, parts=2)
    torch.mul(q_rows, scale[:, None] / q_norm, out=query[:-1])
    key_rows, value_rows = memory[:-1].chunk(2, -1)
    torch.div(k_rows, k_norm, out=key_rows)
    value_rows.copy_(v_rows)
    return query, memory, q_norm, k_norm


def _rows(maps: Tensor, heads: int) -> Tensor:
    """``(B, N, C)`` -> ``(B * N, heads, d)``."""
    return maps.flatten(0, 1).unflatten(-1, (heads, -1))


def _norm(rows: Tensor) -> Tensor:
    """Lengths of ``(..., d)`` rows, ``(..., 1)``, floored."""
    return torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp_min_(NORM_FLOOR)


def _unit_backward(unit: Tensor, norm: Tensor, grad: Tensor) -> Tensor:
    """Gradient at the rows from the gradient at the unit rows."""
    return (grad - unit * (unit * grad).sum(-1, keepdim=True)) / norm


def _padded_rows(like: Tensor, parts: int = 1) -> Tensor:
    """Allocate ``(B * N, heads, parts * d)`` rows, and a last row of zeros for padding nodes."""
    count, heads, d = like.shape
    rows = like.new_empty(count + 1, heads, parts * d)
    rows[-1] = 0
    return rows


def _blocks(
    nodes: Tensor, candidates: Tensor, mask: Tensor, heads: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Node rows (cells, q), candidate rows (cells, s) and adjacency (cells, q, s), a few cells at a time."""
    at_once = max(1, LOGITS_AT_ONCE // (heads * mask[0].numel()))
    yield from zip(nodes.split(at_once), candidates.split(at_once), mask.split(at_once), strict=True)


def _keep(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where an edge is and a huge negative elsewhere, ``(cells, 1, q, s)``."""
    return mask.view(torch.uint8).to(dtype).sub_(1).mul_(-NO_EDGE)[:, None]


def _has_edges(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """1 at a node that reads somebody, else 0, ``(cells, 1, q, 1)``."""
    return mask.view(torch.uint8).amax(-1, keepdim=True).to(dtype)[:, None]


def _gather(rows: Tensor, ids: Tensor) -> Tensor:
    """``(rows, heads, d)`` -> ``(cells, heads, slots, d)``."""
    return rows.index_select(0, ids.flatten()).unflatten(0, ids.shape).transpose(1, 2)


def _put(rows: Tensor, ids: Tensor, values: Tensor) -> None:
    """Write ``(cells, heads, slots, d)`` to the rows."""
    rows.index_copy_(0, ids.flatten(), values.transpose(1, 2).flatten(0, 1))


def _accumulate(rows: Tensor, ids: Tensor, values: Tensor) -> None:
    """Add ``(cells, heads, slots, d)`` to the rows."""
    rows.index_add_(0, ids.flatten(), values.transpose(1, 2).flatten(0, 1))
