"""Window attention in C: the twin of :mod:`glic_pyg.nn.window_attention` for CPUs, with its gradients."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from glic_pyg.kernels.library import LIMITS, available, run
from glic_pyg.kernels.operators import operator
from glic_pyg.progress import steps

__all__ = ["can_attend", "window_attention", "window_attention_", "window_attention_backward"]

_ARGUMENTS = "Tensor q, Tensor kv, Tensor scale, Tensor bias, Tensor nodes, Tensor candidates, Tensor mask"


def can_attend(q: Tensor, mask: Tensor) -> bool:
    """Whether :func:`window_attention` can do this: on a CPU, float32 or bfloat16, cells of a usual size."""
    slots, candidates = mask.shape[1:]
    return (
        q.device.type == mask.device.type == "cpu"
        and q.dtype in (torch.float32, torch.bfloat16)
        and slots in LIMITS["slots"]
        and candidates in LIMITS["candidates"]
        and available()
    )


def _fake(q: Tensor, *others: Tensor) -> Tensor:
    return q.new_empty(q.shape)


def _fake_backward(grad_out: Tensor, *arguments: Tensor) -> tuple[Tensor, ...]:
    return tuple(tensor.new_empty(tensor.shape) for tensor in arguments[:4])


@operator(f"window_attention({_ARGUMENTS}) -> Tensor", _fake)
def window_attention(
    q: Tensor, kv: Tensor, scale: Tensor, bias: Tensor, nodes: Tensor, candidates: Tensor, mask: Tensor
) -> Tensor:
    """As :func:`glic_pyg.nn.window_attention.attend_in_blocks`, computed in float32, without gradient.

    Every cell is computed alone: the result does not depend on the number of threads.

    Raises:
        MemoryError: a thread's working memory (some 200 KB) could not be had.
    """
    arrays = _in_float32(q, kv, scale, bias)
    out = torch.empty_like(arrays[0])
    _attend(arrays, nodes, candidates, mask, out)
    return out.view(q.shape).to(q.dtype)


def window_attention_(
    q: Tensor, kv: Tensor, scale: Tensor, bias: Tensor, nodes: Tensor, candidates: Tensor, mask: Tensor
) -> Tensor:
    """As :func:`window_attention`, but the result is written over q where that is contiguous and float32.

    A node belongs to one cell, and its query is read before anything is written for it.
    """
    arrays = _in_float32(q, kv, scale, bias)
    _attend(arrays, nodes, candidates, mask, arrays[0])
    return arrays[0].view(q.shape).to(q.dtype)


def _attend(arrays: list[Tensor], nodes: Tensor, candidates: Tensor, mask: Tensor, out: Tensor) -> None:
    """Write to ``out``, which may be the queries."""
    for some in _parts(len(out), nodes, candidates, mask):
        run("window_attention", *arrays, *some, out)


@operator(
    f"window_attention_backward(Tensor grad_out, {_ARGUMENTS}) -> (Tensor, Tensor, Tensor, Tensor)",
    _fake_backward,
)
def window_attention_backward(
    grad_out: Tensor,
    q: Tensor,
    kv: Tensor,
    scale: Tensor,
    bias: Tensor,
    nodes: Tensor,
    candidates: Tensor,
    mask: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients at q, kv, scale and bias, computed in float32, each in the dtype of its tensor.

    The work is shared by image and head: the result does not depend on the number of threads.

    Raises:
        MemoryError: a thread's working memory (500 KB and a head's part of all tensors) could not be had.
    """
    arrays = [*_in_float32(q, kv, scale, bias), *_cells(len(q), nodes, candidates, mask)]
    grad_q, grad_kv = torch.empty_like(arrays[0]), torch.empty_like(arrays[1])
    grad_scale = q.new_zeros(len(q), len(scale), dtype=torch.float64)
    grad_bias = q.new_zeros(len(q), *arrays[3].shape, dtype=torch.float32)
    grad = grad_out.float().contiguous().view(arrays[0].shape)
    run("window_attention_backward", *arrays, grad, grad_q, grad_kv, grad_scale, grad_bias)
    return (
        grad_q.view(q.shape).to(q.dtype),
        grad_kv.view(kv.shape).to(kv.dtype),
        grad_scale.sum(0).to(scale.dtype),
        grad_bias.sum(0).mT.contiguous().to(bias.dtype),
    )


def _in_float32(q: Tensor, kv: Tensor, scale: Tensor, bias: Tensor) -> list[Tensor]:
    """q ``(B, N, heads, d)``, kv ``(B, N, 2, heads, d)``, scale, and the bias of candidates and nodes."""
    heads = len(scale)
    q, kv = q.unflatten(-1, (heads, -1)), kv.unflatten(-1, (2, heads, -1))
    return [tensor.float().contiguous() for tensor in (q, kv, scale, bias.mT)]


CELLS_AT_ONCE = 1024
"""Cells of one image whose edges are written as words at a time: these take 32 KB each."""
EDGES_GRAIN = 16
"""Cells whose words are worth a call of another thread."""


def _parts(images: int, nodes: Tensor, candidates: Tensor, mask: Tensor) -> Iterator[list[Tensor]]:
    """:func:`_cells` of all cells, or of a large image some at a time."""
    if images > 1 or len(nodes) <= CELLS_AT_ONCE:
        yield _cells(images, nodes, candidates, mask)
        return
    for cells in steps(candidates[:, 0].argsort(stable=True).split(CELLS_AT_ONCE)):
        yield _cells(1, nodes[cells], candidates[cells], mask[cells])


def _cells(images: int, nodes: Tensor, candidates: Tensor, mask: Tensor) -> list[Tensor]:
    """Nodes, candidates, edges as bits, and the order of cells: those with the same candidates together."""
    mask = mask.contiguous()
    edges = mask.new_empty(mask.shape, dtype=torch.int16)  # room for the words of window_edges.c
    run("window_edges", mask, edges, grain=EDGES_GRAIN)
    first = candidates[:, 0].view(images, -1)
    order = first.argsort(stable=True) + torch.arange(images, device=first.device)[:, None] * first.shape[1]
    return [rows.contiguous().unflatten(0, (images, -1)) for rows in (nodes, candidates, edges)] + [order]
