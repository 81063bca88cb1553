"""q_theta aligned with ELIC: uneven channel groups, each behind a checkerboard."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from glic_pyg.models.context import ramp_widths
from glic_pyg.source.channel_slices import ChannelSliceSource, CheckerboardSlice
from glic_pyg.source.conv_stack import conv_stack, start_at_zero


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
        self.trunk = conv_stack((self.grid.channels, width, 3 * width // 2, 2 * width), 3, nn.ReLU)
        self.slices = nn.ModuleList()
        for size, before in zip(self.groups, self.before, strict=True):
            context = conv_stack((before, *context_widths, 2 * size), 5, nn.ReLU) if before else None
            inputs = 2 * size * (1 + (before > 0)) + 2 * width
            widths = ramp_widths(inputs, 2 * size, least=2 * width)
            head = start_at_zero(conv_stack(widths, 1, nn.ReLU))
            self.slices.append(CheckerboardSlice(size, context, head))
