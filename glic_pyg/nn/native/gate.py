"""GELU(u) v in C, and its gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from glic_pyg.nn.native.library import available, pointer, run

__all__ = ["can_gate", "gate", "gate_backward"]

GRAIN = 2**16


def can_gate(u: Tensor, v: Tensor) -> bool:
    """Whether the functions below can do this: contiguous, float32, on a CPU."""
    return (
        u.device.type == "cpu"
        and u.dtype == v.dtype == torch.float32
        and u.is_contiguous()
        and v.is_contiguous()
        and available()
    )


def gate(u: Tensor, v: Tensor, out: Tensor) -> Tensor:
    """``out = GELU(u) v``, tensors of one shape; out may be v."""
    run("gate", [pointer(t) for t in (u, v, out)], u.numel(), grain=GRAIN)
    return out


def gate_backward(u: Tensor, v: Tensor, grad: Tensor, grad_u: Tensor, grad_v: Tensor) -> Tensor:
    """Fill ``grad_u`` and ``grad_v`` from the gradient at ``GELU(u) v``, which then lies in ``grad``."""
    tensors = (u, v, grad, grad_u, grad_v, grad)
    run("gate_backward", [pointer(t) for t in tensors], u.numel(), grain=GRAIN)
    return grad
