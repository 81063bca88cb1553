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

    A node without an edge reads nothing: its sum is 0.

    Args:
        q: ``(B, N, C)`` queries per real node, head-major.
        kv: ``(B, N, 2C)`` keys, then values. Phantom candidates have k = v = 0.
        scale: ``(heads,)`` multiplies the cosines.
        bias: ``(heads, 64, 256)`` added to the logits.
        graph: adjacency over the same maps.

    Returns:
        ``(B, N, C)``, the softmax-weighted sums of v, in the dtype of ``q``.

    Raises:
        ValueError: the tensors do not fit the graph or each other.
    """
    _check(q, kv, scale, bias, graph)
    wide = torch.float32 if q.dtype == torch.float16 else q.dtype  # float16 cannot hold the smallest norm
    attended: Tensor = _WindowAttention.apply(q.to(wide), kv.to(wide), scale, bias, *graph.attention_rows)
    return attended.to(q.dtype)


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
        attend = native.window_attention if native.can_attend(q, mask) else attend_in_blocks
        return attend(q, kv, scale, bias, nodes, candidates, mask)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, kv, scale, bias, nodes, candidates, mask = ctx.saved_tensors
        fast = native.can_attend(q, mask)
        backward = native.window_attention_backward if fast else attend_backward_in_blocks
        return *backward(grad_out, q, kv, scale, bias, nodes, candidates, mask), None, None, None
