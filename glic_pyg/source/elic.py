"""q_theta aligned with ELIC: uneven channel groups, each behind a checkerboard."""

from __future__ import annotations

from collections.abc import Sequence

from compressai.layers import sequential_channel_ramp
from torch import nn

from glic_pyg.source.channel_slices import ChannelSliceSource, CheckerboardSlice
from glic_pyg.source.trunk import conv_trunk, start_at_zero


class ELICSource(ChannelSliceSource):
    """Design (c) of arXiv 2411.16727, Fig. 3, with the layers of ELIC's own entropy model.

    Ours: cells of 8 pixels, whose 192 samples come closest to the 320 latents that the layers were made for;
    and groups of 1/16, 1/16, 1/8, 1/4 and 1/2 of them (ELIC has 1/20, 1/20, 1/10, 1/5 and 3/5), so that each
    group completes a regular lattice of pixels and the next lies between its points.

    Args:
        width: N, channels of the features of x_hat are 2N.
        context_widths: inner widths of the channel context.
        groups: channels of each group.
        patch: side of a cell in pixels.
    """

    def __init__(
        self,
        width: int = 192,
        context_widths: Sequence[int] = (224, 128),
        groups: Sequence[int] = (12, 12, 24, 48, 96),
        patch: int = 8,
    ) -> None:
        super().__init__(patch, groups)
        self.trunk = conv_trunk((self.grid.channels, width, 3 * width // 2, 2 * width), nn.ReLU)
        self.slices = nn.ModuleList(
            CheckerboardSlice(
                size,
                _channel_context((before, *context_widths, 2 * size)) if before else None,
                _entropy_parameters(2 * size * (1 + (before > 0)) + 2 * width, 2 * size, 2 * width),
            )
            for size, before in zip(self.groups, self.before, strict=True)
        )


def _channel_context(widths: Sequence[int]) -> nn.Sequential:
    """Three 5x5 convolutions."""
    first, second, third, last = widths
    return nn.Sequential(
        nn.Conv2d(first, second, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(second, third, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(third, last, 5, padding=2),
    )


def _entropy_parameters(in_channels: int, out_channels: int, least: int) -> nn.Sequential:
    """Three 1x1 convolutions whose widths go linearly from input to output."""
    ramp = sequential_channel_ramp(
        in_channels,
        out_channels,
        min_ch=least,
        num_layers=3,
        make_layer=nn.Conv2d,
        make_act=nn.ReLU,
        kernel_size=1,
    )
    return start_at_zero(ramp)
