"""Edge attention in C: the twin of :mod:`glic_pyg.nn.edge_attention` for CPUs, with its gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from glic_pyg.kernels.library import LIMITS, available, run
from glic_pyg.kernels.operators import operator

__all__ = ["can_attend_along", "edge_attention", "edge_attention_backward"]

_ARGUMENTS = "Tensor q, Tensor k, Tensor v, Tensor? table, Tensor ptr, Tensor source, Tensor? entry"
_SHARES_OF_A_HEAD = 4  # each share of the work brings the head's keys and values together first


def can_attend_along(q: Tensor, table: Tensor | None, source: Tensor) -> bool:
    """Whether :func:`edge_attention` can do this: on a CPU, in float32, heads of a usual width."""
    return (
        q.device.type == source.device.type == "cpu"
        and q.dtype == torch.float32
        and q.shape[-1] in LIMITS["features"]
        and (table is None or len(table) in LIMITS["entries"])
        and available()
    )


def _fake(
    q: Tensor, k: Tensor, v: Tensor, table: Tensor | None, ptr: Tensor, source: Tensor, entry: Tensor | None
) -> tuple[Tensor, Tensor]:
    return q.new_empty(q.shape), q.new_empty(q.shape[1], q.shape[0])


def _fake_backward(
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
    biased = q.new_empty(0, q.shape[1]) if table is None else table.new_empty(table.shape)
    return q.new_empty(q.shape), k.new_empty(k.shape), v.new_empty(v.shape), biased


@operator(f"edge_attention({_ARGUMENTS}) -> (Tensor, Tensor)", _fake)
def edge_attention(
    q: Tensor, k: Tensor, v: Tensor, table: Tensor | None, ptr: Tensor, source: Tensor, entry: Tensor | None
) -> tuple[Tensor, Tensor]:
    """As :func:`glic_pyg.nn.edge_attention.attend_in_chunks`, without gradient.

    A node and head is computed alone: the result does not depend on the number of threads.

    Raises:
        MemoryError: a thread's working memory, a head's part of k and v, could not be had.
        ValueError: an edge, a source or an entry is out of range.
    """
    arrays = _arrays(q, k, v, table, ptr, source, entry)
    out, lse = _fake(q, k, v, table, ptr, source, entry)
    run("edge_attention", *arrays, out, lse, grain=max(1, len(q) // _SHARES_OF_A_HEAD))
    return out, lse


@operator(
    f"edge_attention_backward(Tensor grad_out, {_ARGUMENTS}, Tensor out, Tensor lse)"
    " -> (Tensor, Tensor, Tensor, Tensor)",
    _fake_backward,
)
def edge_attention_backward(
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
    """Gradients at q, k, v and table (of no entries where there is none).

    The work is shared by heads: the result does not depend on the number of threads.

    Raises:
        MemoryError: a thread's working memory, a head's part of k, v and their gradients, could not be had.
        ValueError: an edge, a source or an entry is out of range.
    """
    arrays = _arrays(q, k, v, table, ptr, source, entry)
    grads = [torch.empty_like(array) for array in arrays[:3] if array is not None]
    grad_table = q.new_zeros(q.shape[1], 1 if table is None else len(table), dtype=torch.float64)
    run("edge_attention_backward", *arrays, out, lse, grad_out.contiguous(), *grads, grad_table)
    biased = grad_table.new_empty(0, q.shape[1]) if table is None else grad_table.mT.contiguous()
    return grads[0], grads[1], grads[2], biased.to(q.dtype)


def _arrays(
    q: Tensor, k: Tensor, v: Tensor, table: Tensor | None, ptr: Tensor, source: Tensor, entry: Tensor | None
) -> list[Tensor | None]:
    """What both functions in C read, in order, after a look at all ids."""
    ends = ptr.tolist()
    if len(ends) != len(q) + 1 or ends[0] != 0 or ends[-1] != len(source) or (ptr.diff() < 0).any():
        raise ValueError(f"ptr must rise from 0 to the {len(source)} edges in {len(q)} steps")
    _check_range("source", source, len(k))
    if entry is not None:
        _check_range("entry", entry, 0 if table is None else len(table))
        entry = entry.to(torch.int16)
    table = q.new_zeros(q.shape[1], 1) if table is None else table.mT
    rows = [tensor.contiguous() for tensor in (q, k, v, table, ptr[:-1], ptr[1:], source)]
    return [*rows, None if entry is None else entry.contiguous()]


def _check_range(name: str, ids: Tensor, count: int) -> None:
    if ids.numel():
        least, most = (int(value) for value in torch.aminmax(ids))
        if least < 0 or most >= count:
            raise ValueError(f"{name} holds {least}..{most} where 0..{count - 1} is known")
