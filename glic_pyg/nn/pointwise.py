"""1x1 convolutions as matrix products on rows of channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pointwise(nn.Conv2d):
    """A 1x1 convolution that works on ``(..., C)`` rows; its weight keeps the convolution's shape."""

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, rows: Tensor) -> Tensor:
        """``(..., C_in)`` -> ``(..., C_out)``."""
        return F.linear(rows, self.weight.flatten(1), self.bias)


def gate(hidden: Tensor) -> Tensor:
    """GELU of the first half of the channels times the second half (exact GELU)."""
    u, v = hidden.chunk(2, dim=-1)
    return F.gelu(u) * v if torch.is_grad_enabled() else F.gelu(u).mul_(v)


def gated_projection(rows: Tensor, projection: Pointwise) -> Tensor:
    """``gate(projection(rows))`` of a projection without bias, ``(..., C)`` -> ``(..., hidden)``.

    Without gradients on a CPU, oneDNN applies the GELU while it writes the product.
    """
    autocast = torch.is_autocast_enabled(rows.device.type)
    dtype = torch.get_autocast_dtype(rows.device.type) if autocast else rows.dtype
    if not _onednn_can_fuse(rows.device, dtype):
        return gate(projection(rows))
    rows = rows.to(dtype)
    weight_u, weight_v = projection.weight.flatten(1).to(dtype).chunk(2)
    u = torch.ops.mkldnn._linear_pointwise(rows, weight_u, None, "gelu", [], "none")
    return F.linear(rows, weight_v).mul_(u)


def _onednn_can_fuse(device: torch.device, dtype: torch.dtype) -> bool:
    return (
        device.type == "cpu"
        and dtype in (torch.float32, torch.bfloat16)
        and not torch.is_grad_enabled()
        and torch.backends.mkldnn.is_available()
        and bool(torch.backends.mkldnn.enabled)
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def add_linear(
    residual: Tensor, rows: Tensor, linear: nn.Linear | nn.Conv2d, out: Tensor | None = None
) -> Tensor:
    """``residual + linear(rows)`` in one pass over the result; ``(..., C_out)`` and ``(..., C_in)``.

    ``out``, contiguous, may take the result when no gradient is wanted.
    """
    dtype = rows.dtype
    if linear.bias is not None:
        residual = residual + linear.bias
    flat = residual.to(dtype).flatten(0, -2), rows.flatten(0, -2), linear.weight.flatten(1).to(dtype).T
    if out is None:
        return torch.addmm(*flat).view(residual.shape)
    torch.addmm(*flat, out=out.view(-1, out.shape[-1]))
    return out
