"""Attention over a window graph, forward and backward, by whichever of two equal paths is there.

:mod:`glic_pyg.nn.attention_in_blocks` does it with torch operators on any device, :mod:`glic_pyg.nn.native`
in C on CPUs. Neither keeps anything of the size of all logits: the way back computes the weights again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from glic_pyg.graph import WindowGraph
from glic_pyg.nn import native
from glic_pyg.nn.attention_in_blocks import attend_backward_in_blocks, attend_in_blocks


def window_attention(q: Tensor, kv: Tensor, scale: Tensor, bias: Tensor, graph: WindowGraph) -> Tensor:
    r"""Every node reads the candidates that its adjacency keeps (GLIC section 6).

    .. math:: \mathrm{softmax}_j\left(s_a \cos(q_i^a, k_j^a) + b_a(i, j)\right) v_j^a

    Args:
        q: ``(B, N, C)`` queries per real node, head-major.
        kv: ``(B, N, 2C)`` keys, then values. Phantom candidates have k = v = 0.
        scale: ``(heads,)`` multiplies the cosines.
        bias: ``(heads, 64, 256)`` added to the logits.
        graph: adjacency over the same maps.

    Returns:
        ``(B, N, C)``, the softmax-weighted sums of v, in the dtype of ``q``.
    """
    return _WindowAttention.apply(q, kv, scale, bias, graph)


class _WindowAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, kv: Tensor, scale: Tensor, bias: Tensor, graph: WindowGraph) -> Tensor:
        scale, bias = scale.to(q.dtype), bias.to(q.dtype)
        ctx.save_for_backward(q, kv, scale, bias)
        ctx.graph = graph
        if native.can_attend(q, graph, heads=len(scale)):
            return native.window_attention(q, kv, scale, bias, graph)
        return attend_in_blocks(q, kv, scale, bias, graph)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, kv, scale, bias = ctx.saved_tensors
        fast = native.can_attend(q, ctx.graph, heads=len(scale))
        backward = native.window_attention_backward if fast else attend_backward_in_blocks
        return *backward(grad_out, q, kv, scale, bias, ctx.graph), None
