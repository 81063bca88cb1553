"""The gate and the projection out of a gated feed-forward network, in one step of autograd."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from glic_pyg.nn import native
from glic_pyg.nn.pointwise import Pointwise, add_linear

ROWS_AT_ONCE = 4096


def add_gated_linear(
    residual: Tensor, u: Tensor, v: Tensor, linear: Pointwise, out: Tensor | None = None
) -> Tensor:
    r"""``residual + linear(GELU(u) v)``, with the exact GELU and a linear map without bias.

    Autograd keeps u and v only: the gate is computed again on the way back, a few rows at a time, instead
    of keeping GELU(u) and the product too, which are the largest tensors of a training step.

    Args:
        residual: ``(..., C_out)``.
        u, v: ``(..., hidden)``; without gradient, v may be overwritten.
        linear: the projection out.
        out: contiguous, may take the result when no gradient is wanted.
    """
    if torch.is_grad_enabled():
        return _GatedLinear.apply(u, v, linear.weight.flatten(1).to(u.dtype)).add_(residual)
    return add_linear(residual, gate(u, v, out=v), linear, out)


class _GatedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, v: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(u, v, weight)
        out = u.new_empty(*u.shape[:-1], len(weight))
        for u_part, v_part, out_part in _parts(u, v, out):
            torch.mm(gate(u_part, v_part), weight.T, out=out_part)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        u, v, weight = ctx.saved_tensors
        grad = grad.to(u.dtype)
        grad_u, grad_v = torch.empty_like(u), torch.empty_like(v)
        grad_weight = torch.zeros_like(weight, dtype=torch.promote_types(u.dtype, torch.float32))
        for u_part, v_part, grad_part, gu_part, gv_part in _parts(u, v, grad, grad_u, grad_v):
            inner = grad_part @ weight
            product = _gate_backward(u_part, v_part, inner, gu_part, gv_part)
            grad_weight += grad_part.T @ product
        return grad_u, grad_v, grad_weight.to(weight.dtype)


def gate(u: Tensor, v: Tensor, out: Tensor | None = None) -> Tensor:
    """``GELU(u) v``; ``out`` may be v."""
    if native.can_gate(u, v):
        return native.gate(u, v, torch.empty_like(u) if out is None else out)
    return torch.mul(F.gelu(u), v, out=out)


def _gate_backward(u: Tensor, v: Tensor, grad: Tensor, grad_u: Tensor, grad_v: Tensor) -> Tensor:
    """Fill ``grad_u`` and ``grad_v``; returns ``GELU(u) v``, perhaps in the place of ``grad``."""
    if native.can_gate(u, v):
        return native.gate_backward(u, v, grad, grad_u, grad_v)
    gelu = F.gelu(u)
    torch.mul(gelu, grad, out=grad_v)
    torch.ops.aten.gelu_backward.grad_input(grad.mul_(v), u, grad_input=grad_u)
    return gelu.mul_(v)


def _parts(*tensors: Tensor) -> zip[tuple[Tensor, ...]]:
    """A few rows of each tensor ``(..., C)`` at a time."""
    return zip(*(t.reshape(-1, t.shape[-1]).split(ROWS_AT_ONCE) for t in tensors), strict=True)
