"""GELU(u) v in C, and its gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from glic_pyg.kernels.library import available, run
from glic_pyg.kernels.operators import no_result, operator

__all__ = ["can_gate", "gate", "gate_backward"]

GRAIN = 2**16


def can_gate(u: Tensor, v: Tensor) -> bool:
    """Whether the functions below can do this: contiguous, float32, of one shape, on a CPU."""
    return (
        u.device.type == v.device.type == "cpu"
        and u.dtype == v.dtype == torch.float32
        and u.shape == v.shape
        and u.is_contiguous()
        and v.is_contiguous()
        and available()
    )


def gate(u: Tensor, v: Tensor, out: Tensor) -> Tensor:
    """``out = GELU(u) v``, without gradient, contiguous tensors of one shape; out may be v."""
    _gate(u, v, out)
    return out


def gate_backward(u: Tensor, v: Tensor, grad: Tensor, grad_u: Tensor, grad_v: Tensor) -> Tensor:
    """Fill ``grad_u`` and ``grad_v`` from the gradient at ``GELU(u) v``, which then lies in ``grad``."""
    _gate_backward(u, v, grad, grad_u, grad_v)
    return grad


@operator("gate(Tensor u, Tensor v, Tensor(a!) out) -> ()", no_result)
def _gate(u: Tensor, v: Tensor, out: Tensor) -> None:
    run("gate", u, v, out, grain=GRAIN)


@operator(
    "gate_backward(Tensor u, Tensor v, Tensor(a!) grad, Tensor(b!) grad_u, Tensor(c!) grad_v) -> ()",
    no_result,
)
def _gate_backward(u: Tensor, v: Tensor, grad: Tensor, grad_u: Tensor, grad_v: Tensor) -> None:
    run("gate_backward", u, v, grad, grad_u, grad_v, grad, grain=GRAIN)
