"""Attention along the edges of any graph, forward and backward: in C on CPUs, by torch operators elsewhere.

Both paths are equal and keep nothing of the size of all messages: the backward pass computes the weights
again. By torch operators some thousand edges are taken at a time, whole nodes. The softmax over a node's
edges is PyG's :func:`~torch_geometric.utils.segment` on their pointers: torch-scatter's kernels where it is
installed, else torch's own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch_geometric import EdgeIndex
from torch_geometric.utils import segment

from glic_pyg import kernels

EDGES_AT_ONCE = {"cpu": 2**12}  # what so many edges need stays in the cache
EDGES_AT_ONCE_ELSEWHERE = 2**18


def edge_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    ptr: Tensor,
    source: Tensor,
    table: Tensor | None = None,
    entry: Tensor | None = None,
) -> Tensor:
    r"""Softmax attention of each node over the sources of its edges, which are grouped by node (CSR).

    .. math:: \sum_j \mathrm{softmax}_j\left(q_i^a \cdot k_j^a + b_a(e_{ij})\right) v_j^a

    A node without an edge reads nothing: its sum is 0. Memory grows with the nodes, and with the edges only
    as ``source`` and ``entry`` do.

    Args:
        q: ``(N, heads, d)`` queries.
        k, v: ``(M, heads, d)`` keys and values; M is N unless the graph is bipartite.
        ptr: ``(N + 1,)`` int64; the edges of node i are ``ptr[i]`` to ``ptr[i + 1] - 1``.
        source: ``(E,)`` int64 in 0..M-1.
        table: ``(entries, heads)`` biases, b.
        entry: ``(E,)`` int64, the table's entry of each edge; goes with ``table``.

    Returns:
        ``(N, heads, d)`` in the dtype of ``q``.

    Raises:
        ValueError: the tensors do not fit each other, or ids are out of range.
    """
    if (table is None) != (entry is None):
        raise ValueError("a table of biases and the entries of the edges go together: give both or neither")
    if (
        k.shape != v.shape
        or q.dim() != 3
        or q.shape[1:] != k.shape[1:]
        or {q.dtype, k.dtype, v.dtype} != {q.dtype}
    ):
        raise ValueError(
            f"q (N, heads, d), k and v (M, heads, d) of one dtype are needed, got {tuple(q.shape)}, "
            f"{tuple(k.shape)} and {tuple(v.shape)}"
        )
    wide = torch.promote_types(q.dtype, torch.float32)  # sums of many small terms are not for half precision
    rows = [tensor.to(wide) for tensor in (q, k, v)]
    attended: Tensor
    attended, _ = _EdgeAttention.apply(*rows, None if table is None else table.to(wide), ptr, source, entry)
    return attended.to(q.dtype)


class _EdgeAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        table: Tensor | None,
        ptr: Tensor,
        source: Tensor,
        entry: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        fast = kernels.can_attend_along(q, table, source)
        attend = kernels.edge_attention if fast else attend_in_chunks
        out, lse = attend(q, k, v, table, ptr, source, entry)
        ctx.save_for_backward(q, k, v, table, ptr, source, entry, out, lse)
        ctx.mark_non_differentiable(lse)
        return out, lse

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        q, _, _, table, _, source, *_ = saved = ctx.saved_tensors
        fast = kernels.can_attend_along(q, table, source)
        backward = kernels.edge_attention_backward if fast else attend_backward_in_chunks
        *grads, grad_table = backward(grad_out, *saved)
        return *grads, None if table is None else grad_table, None, None, None


def attend_in_chunks(
    q: Tensor, k: Tensor, v: Tensor, table: Tensor | None, ptr: Tensor, source: Tensor, entry: Tensor | None
) -> tuple[Tensor, Tensor]:
    """:func:`edge_attention` without gradient, and the logarithms of the sums of exponentials, (heads, N)."""
    out, lse = torch.empty_like(q), q.new_empty(q.shape[1], q.shape[0])
    least = torch.finfo(q.dtype).tiny
    for rows, edges, here, target in _chunks(ptr, q.device.type):
        sources = source[edges]
        logits = _logits(q[rows].index_select(0, target), k, table, sources, entry, edges)
        top = segment(logits, here, "max")
        weights = logits.sub_(top.index_select(0, target)).exp_()
        total = segment(weights, here, "sum").clamp_min_(least)  # of a node without an edge
        messages = v.index_select(0, sources).mul_(weights[..., None])
        out[rows] = _sum_rows(messages, here, target) / total[..., None]
        lse[:, rows] = (top + total.log()).mT
    return out, lse


def attend_backward_in_chunks(
    grad_out: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    table: Tensor | None,
    ptr: Tensor,
    source: Tensor,
    entry: Tensor | None,
    out: Tensor,
    lse: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of :func:`attend_in_chunks` at q, k, v and table (of no entries where there is none)."""
    grad_q, grad_k, grad_v = (tensor.new_zeros(tensor.shape) for tensor in (q, k, v))
    grad_table = q.new_zeros(0, q.shape[1]) if table is None else torch.zeros_like(table)
    mean_slope = (grad_out * out).sum(-1)  # of each node: what its weights' gradients have in common
    for rows, edges, here, target in _chunks(ptr, q.device.type):
        sources = source[edges]
        query, grad = (tensor[rows].index_select(0, target) for tensor in (q, grad_out))
        logits = _logits(query, k, table, sources, entry, edges)
        weights = logits.sub_(lse[:, rows].mT.index_select(0, target)).exp_()
        slopes = (grad * v.index_select(0, sources)).sum(-1)
        slopes = slopes.sub_(mean_slope[rows].index_select(0, target)).mul_(weights)
        grad_q[rows] = _sum_rows(k.index_select(0, sources).mul_(slopes[..., None]), here, target)
        _add_rows(grad_k, sources, query.mul_(slopes[..., None]))
        _add_rows(grad_v, sources, grad.mul_(weights[..., None]))
        if entry is not None:
            grad_table.index_add_(0, entry[edges], slopes)
    return grad_q, grad_k, grad_v, grad_table


def _logits(
    query: Tensor, k: Tensor, table: Tensor | None, sources: Tensor, entry: Tensor | None, edges: slice
) -> Tensor:
    """Logits of some edges, ``(e, heads)``, from the queries of their targets, ``(e, heads, d)``."""
    logits = (query * k.index_select(0, sources)).sum(-1)
    return logits if table is None or entry is None else logits.add_(table.index_select(0, entry[edges]))


def _sum_rows(messages: Tensor, here: Tensor, target: Tensor) -> Tensor:
    """Sums of ``(e, heads, d)`` by target."""
    if messages.device.type != "cpu":
        return segment(messages, here, "sum")
    sums = messages.new_zeros(len(here) - 1, *messages.shape[1:])
    return _add_rows(sums, target, messages)  # faster on a CPU, for rows as wide as these


def _add_rows(rows: Tensor, ids: Tensor, messages: Tensor) -> Tensor:
    """Add ``(e, heads, d)`` to ``(nodes, heads, d)``, as matrices: what index_add is quick with."""
    rows.flatten(1).index_add_(0, ids, messages.flatten(1))
    return rows


def _chunks(ptr: Tensor, device: str) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Nodes, their edges, those edges' own pointers, and each edge's place among the nodes; all in order."""
    ends, at_once = ptr.tolist(), EDGES_AT_ONCE.get(device, EDGES_AT_ONCE_ELSEWHERE)
    first = 0
    while first < len(ends) - 1:
        last = max(first + 1, bisect_right(ends, ends[first] + at_once) - 1)
        here = ptr[first : last + 1] - ends[first]
        target = torch.repeat_interleave(here.diff(), output_size=ends[last] - ends[first])
        yield slice(first, last), slice(ends[first], ends[last]), here, target
        first = last


def compressed(
    edge_index: Tensor, num_sources: int, num_targets: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Pointers, sources and order of edges grouped by target (CSR).

    Edges that are sorted by target, as those of our builders are, stay where they are.

    Args:
        edge_index: ``(2, E)`` int64, sources and targets.
        num_sources, num_targets: number of nodes on either side.

    Returns:
        ``ptr`` (num_targets + 1,), ``source`` (E,), and the (E,) places of the edges in ``edge_index``, or
        ``None`` if they are in order.

    Raises:
        ValueError: an edge is not between such nodes.
    """
    if torch.compiler.is_compiling():
        from glic_pyg.compiling import outside

        result: tuple[Tensor, Tensor, Tensor | None] = outside(
            compressed, edge_index, num_sources, num_targets
        )
        return result
    ordered = isinstance(edge_index, EdgeIndex) and edge_index.is_sorted_by_col
    source, target = edge_index.as_tensor() if isinstance(edge_index, EdgeIndex) else edge_index
    for name, ids, count in (("source", source, num_sources), ("target", target, num_targets)):
        least, most = (int(value) for value in torch.aminmax(ids)) if len(ids) else (0, -1)
        if least < 0 or most >= count:
            raise ValueError(
                f"edge_index has {name} nodes {least} to {most}, but x has rows 0 to {count - 1}"
            )
    order = None
    if not ordered and bool((target[1:] < target[:-1]).any()):
        target, order = torch.sort(target, stable=True)
        source = source[order]
    ptr = target.new_zeros(num_targets + 1)
    ptr[1:] = torch.bincount(target, minlength=num_targets).cumsum(0)
    return ptr, source.contiguous(), order
