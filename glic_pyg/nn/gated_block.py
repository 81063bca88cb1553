"""The convolutional block of stage 0 and of the entropy networks."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from glic_pyg.nn.channels_last import map_of, rows_of
from glic_pyg.nn.depthwise import depthwise
from glic_pyg.nn.pointwise import Pointwise, gate
from glic_pyg.nn.strips import by_strips

NORM_EPS = 1e-6


class GatedFFN(nn.Module):
    """1x1 convolution to twice the hidden width, GELU gate, 1x1 convolution back; no bias.

    Rows in, rows out: ``(..., C)``.
    """

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.project_in = Pointwise(channels, 2 * hidden, bias=False)
        self.project_out = Pointwise(hidden, channels, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        return self.project_out(gate(self.project_in(rows)))


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
        return map_of(by_strips(self._rows, rows_of(x), halo=2))

    def _rows(self, rows: Tensor, missing: tuple[int, int]) -> Tensor:
        height = rows.shape[1] + sum(missing) - 4
        inner = rows.narrow(1, 2 - missing[0], height)
        mixed = F.leaky_relu(self.mix_in(rows), 0.01)
        h = self.mix_out(depthwise(self.depthwise, mixed, missing)) + self.skip(inner)
        return h + self.ffn(self.norm(h))


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
        return map_of(by_strips(self._rows, rows_of(x), halo=0))

    def _rows(self, rows: Tensor, missing: tuple[int, int]) -> Tensor:
        u = self.mix(rows)
        return u + self.ffn(self.norm(u))
