"""The convolutional block of stage 0 and of the entropy networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glic_pyg.nn.channels_last import map_of, rows_of
from glic_pyg.nn.depthwise import depthwise
from glic_pyg.nn.gated_linear import add_gated_linear
from glic_pyg.nn.pointwise import Pointwise, add_linear, halves
from glic_pyg.nn.strips import by_strips

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
        return map_of(by_strips(self._rows, rows_of(x), 2, self.mix_out.out_channels))

    def _rows(self, rows: Tensor, missing: tuple[int, int], out: Tensor | None) -> Tensor:
        height = rows.shape[1] + sum(missing) - 4
        inner = rows.narrow(1, 2 - missing[0], height)
        mixed = F.leaky_relu(self.mix_in(rows), 0.01, inplace=not torch.is_grad_enabled())
        spread = depthwise(mixed, self.depthwise.weight, self.depthwise.bias, missing)
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
        return map_of(by_strips(self._rows, rows_of(x), 0, self.mix.out_channels))

    def _rows(self, rows: Tensor, missing: tuple[int, int], out: Tensor | None) -> Tensor:
        u = self.mix(rows)
        return self.ffn(u, self.norm(u), out)
