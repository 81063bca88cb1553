"""Gated blocks: the convolutional layers of stage 0 and of the entropy networks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from glic_pyg import kernels
from glic_pyg.nn.depthwise import depthwise
from glic_pyg.nn.pointwise import Pointwise, add_linear, halves, map_of, rows_of
from glic_pyg.nn.tiling import run_tiled

ROWS_AT_ONCE = 4096
NORM_EPS = 1e-6


class GatedFFN(nn.Module):
    """1x1 convolution to twice the hidden width, GELU gate, 1x1 convolution back; no bias.

    ``forward`` adds the result to ``residual``; rows ``(..., C)`` throughout.
    """

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.project_in = Pointwise(channels, 2 * hidden, bias=False)
        self.project_out = Pointwise(hidden, channels, bias=False)

    def forward(self, residual: Tensor, rows: Tensor, out: Tensor | None = None) -> Tensor:
        return add_gated_linear(residual, *halves(rows, self.project_in), self.project_out, out)


class GatedBlock(nn.Module):
    r"""Depthwise mixing, then a gated feed-forward network (GLIC section 2, GatedBlock).

    .. math::
        h &= \mathrm{conv}_{1\times1}\left(\mathrm{dw}_{5\times5}\left(
             \mathrm{LeakyReLU}(\mathrm{conv}_{1\times1}(x))\right)\right) + x \\
        x' &= h + \mathrm{FFN}(\mathrm{LayerNorm}(h))

    The identity goes through a 1x1 convolution if the widths differ.

    Shapes: ``(B, in_channels, H, W)`` -> ``(B, out_channels, H, W)``.
    """

    def __init__(self, in_channels: int, out_channels: int, expansion: float) -> None:
        super().__init__()
        self.mix_in = Pointwise(in_channels, in_channels)
        self.depthwise = nn.Conv2d(in_channels, in_channels, 5, padding=2, groups=in_channels)
        self.mix_out = Pointwise(in_channels, out_channels)
        self.skip = Pointwise(in_channels, out_channels) if in_channels != out_channels else nn.Identity()
        self.norm = nn.LayerNorm(out_channels, eps=NORM_EPS)
        self.ffn = GatedFFN(out_channels, expansion)

    def forward(self, x: Tensor) -> Tensor:
        return map_of(run_tiled(self._rows, rows_of(x), 2, self.mix_out.out_channels))

    def _rows(self, rows: Tensor, padding: tuple[int, int], out: Tensor | None) -> Tensor:
        height = rows.shape[1] + sum(padding) - 4
        inner = rows.narrow(1, 2 - padding[0], height)
        mixed = F.leaky_relu(self.mix_in(rows), 0.01, inplace=not torch.is_grad_enabled())
        spread = depthwise(mixed, self.depthwise.weight, self.depthwise.bias, padding)
        h = add_linear(self.skip(inner), spread, self.mix_out)
        return self.ffn(h, self.norm(h), out)


class PointwiseBlock(nn.Module):
    r"""A 1x1 convolution, then a gated feed-forward network: the layer of the entropy parameters.

    .. math:: u = \mathrm{conv}_{1\times1}(x), \qquad x' = u + \mathrm{FFN}(\mathrm{LayerNorm}(u))

    Shapes: ``(B, in_channels, H, W)`` -> ``(B, out_channels, H, W)``.
    """

    def __init__(self, in_channels: int, out_channels: int, expansion: float) -> None:
        super().__init__()
        self.mix = Pointwise(in_channels, out_channels)
        self.norm = nn.LayerNorm(out_channels, eps=NORM_EPS)
        self.ffn = GatedFFN(out_channels, expansion)

    def forward(self, x: Tensor) -> Tensor:
        return map_of(run_tiled(self._rows, rows_of(x), 0, self.mix.out_channels))

    def _rows(self, rows: Tensor, padding: tuple[int, int], out: Tensor | None) -> Tensor:
        u = self.mix(rows)
        return self.ffn(u, self.norm(u), out)


def add_gated_linear(
    residual: Tensor, u: Tensor, v: Tensor, linear: Pointwise, out: Tensor | None = None
) -> Tensor:
    r"""Compute ``residual + linear(GELU(u) v)`` with the exact GELU and a linear map without bias.

    Autograd keeps u and v only: the gate is recomputed in the backward pass, a few rows at a time, instead
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
            if ctx.needs_input_grad[2]:
                grad_weight += grad_part.T @ product
        return grad_u, grad_v, grad_weight.to(weight.dtype)


def gate(u: Tensor, v: Tensor, out: Tensor | None = None) -> Tensor:
    """Compute ``GELU(u) v``; ``out`` may be v."""
    if kernels.can_gate(u, v):
        return kernels.gate(u, v, torch.empty_like(u) if out is None else out)
    return torch.mul(F.gelu(u), v, out=out)


def _gate_backward(u: Tensor, v: Tensor, grad: Tensor, grad_u: Tensor, grad_v: Tensor) -> Tensor:
    """Fill ``grad_u`` and ``grad_v``; returns ``GELU(u) v``, perhaps in the place of ``grad``."""
    if kernels.can_gate(u, v):
        return kernels.gate_backward(u, v, grad, grad_u, grad_v)
    gelu = F.gelu(u)
    torch.mul(gelu, grad, out=grad_v)
    torch.ops.aten.gelu_backward.grad_input(grad.mul_(v), u, grad_input=grad_u)
    return gelu.mul_(v)


def depthwise_gate(u: Tensor, v: Tensor, weight: Tensor, padding: tuple[int, int]) -> Tensor:
    """Compute ``GELU(depthwise(u)) depthwise(v)`` without gradient; the weight's halves are u's and v's."""
    weight_u, weight_v = weight.chunk(2)
    if kernels.can_convolve(u, weight_u) and not torch.is_autocast_enabled(u.device.type):
        return kernels.depthwise_gate(u, v, weight_u, weight_v, *padding)
    u, v = depthwise(u, weight_u, None, padding), depthwise(v, weight_v, None, padding)
    return gate(u, v, out=v)


def _parts(*tensors: Tensor) -> zip[tuple[Tensor, ...]]:
    """A few rows of each tensor ``(..., C)`` at a time."""
    return zip(*(t.reshape(-1, t.shape[-1]).split(ROWS_AT_ONCE) for t in tensors), strict=True)
