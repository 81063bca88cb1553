"""Window attention in C: the twin of :mod:`glic_pyg.nn.attention_in_blocks` for CPUs, with its gradients."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from glic_pyg.graph import WindowGraph
from glic_pyg.nn.native.library import available, pointer, run

__all__ = ["can_attend", "window_attention", "window_attention_backward"]

NODES_AT_ONCE = 64
CANDIDATES_AT_ONCE = 8
FEWEST_BITS = 2  # of a word of window_edges.c that are used


def can_attend(q: Tensor, graph: WindowGraph, heads: int) -> bool:
    """Whether :func:`window_attention` can do this: on a CPU, not in float64, cells of a usual size."""
    slots, candidates = graph.mask.shape[2:]
    return (
        q.device.type == "cpu"
        and q.dtype in (torch.float32, torch.bfloat16)
        and slots % NODES_AT_ONCE == 0
        and candidates % CANDIDATES_AT_ONCE == 0
        and available()
    )


def window_attention(q: Tensor, kv: Tensor, scale: Tensor, bias: Tensor, graph: WindowGraph) -> Tensor:
    """As :func:`glic_pyg.nn.window_attention`, computed in float32, without gradient.

    Every cell is computed alone: the result does not depend on the number of threads.

    Raises:
        MemoryError: a thread's working memory (some 200 KB) could not be had.
    """
    tensors, cells = [t.float().contiguous() for t in (q, kv, scale, bias.mT)], _cells(graph)
    out = torch.empty_like(tensors[0])
    arrays = [pointer(t) for t in (*tensors, *cells, out)]
    run("window_attention", arrays, len(cells[-1]), _sizes(q, graph, len(scale)))
    return out.view(q.shape).to(q.dtype)


def window_attention_backward(
    grad_out: Tensor, q: Tensor, kv: Tensor, scale: Tensor, bias: Tensor, graph: WindowGraph
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients at q, kv, scale and bias, computed in float32, each in the dtype of its tensor.

    The work is shared by image and head: the result does not depend on the number of threads.

    Raises:
        MemoryError: a thread's working memory (500 KB and a head's part of all tensors) could not be had.
    """
    tensors, cells = [t.float().contiguous() for t in (q, kv, scale, bias.mT)], _cells(graph)
    images, heads = len(q), len(scale)
    grad_q, grad_kv = torch.empty_like(tensors[0]), torch.empty_like(tensors[1])
    grad_scale = torch.zeros(images, heads, dtype=torch.float64)
    grad_bias = torch.zeros(images, *bias.mT.shape)
    grad = grad_out.float().contiguous()
    arrays = [pointer(t) for t in (*tensors, *cells, grad, grad_q, grad_kv, grad_scale, grad_bias)]
    problem = ctypes.byref(_Backward(*arrays, len(cells[-1]) // images))
    run("window_attention_backward", [problem], images * heads, [images, *_sizes(q, graph, heads)])
    grad_q, grad_kv = grad_q.view(q.shape).to(q.dtype), grad_kv.view(kv.shape).to(kv.dtype)
    return grad_q, grad_kv, grad_scale.sum(0).to(scale.dtype), grad_bias.sum(0).mT.to(bias.dtype)


class _Backward(ctypes.Structure):
    """``Problem`` of window_attention_backward.c."""

    _fields_ = [*((f"array{i}", ctypes.c_void_p) for i in range(13)), ("per_image", ctypes.c_int64)]


def _cells(graph: WindowGraph) -> list[Tensor]:
    """Nodes, candidates, edges as bits, and the order of cells: those with the same candidates together."""
    nodes, sources, mask = (t.contiguous() for t in graph.attention_rows)
    edges = torch.empty(len(mask), mask[0].numel() // FEWEST_BITS, dtype=torch.int32)
    run("window_edges", [pointer(mask), pointer(edges)], len(mask), mask.shape[1:])
    first = sources[:, 0].view(graph.batch_size, -1)
    order = first.argsort(stable=True) + torch.arange(graph.batch_size)[:, None] * first.shape[1]
    return [nodes, sources, edges, order.flatten()]


def _sizes(q: Tensor, graph: WindowGraph, heads: int) -> list[int]:
    """Rows, slots and candidates of a cell, heads and their width."""
    return [q.shape[0] * q.shape[1], *graph.mask.shape[2:], heads, q.shape[-1] // heads]
