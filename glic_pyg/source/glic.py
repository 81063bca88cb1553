"""q_theta aligned with GLIC's own entropy model: gated blocks behind a checkerboard."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from glic_pyg.models.context import channel_ramp
from glic_pyg.nn import GatedBlock, PointwiseBlock
from glic_pyg.source.channel_slices import ChannelSliceSource, CheckerboardSlice
from glic_pyg.source.conv_stack import start_at_zero


class GLICSource(ChannelSliceSource):
    """GLIC's context model (arXiv 2603.25316; released model, section 7) turned to pixels given x_hat.

    No paper has this one. From the codec: an h_s of convolutions and gated blocks (upsampling left out), the
    channel context as a ramp of gated blocks, the checkerboard, the entropy parameters as a ramp of pointwise
    blocks. Different: cells of 8 pixels and groups that double (see :class:`ELICSource`), and one more 1x1
    convolution after the last ramp. It starts at zero, which inside the ramp would rob the feed-forward
    network before it of its gradient.

    Args:
        width: N, channels of the features of x_hat are 2N.
        depth, expansion: gated blocks after each of the trunk's first two convolutions.
        context_expansion: of the channel context and the entropy parameters.
        context_width, parameter_width: least inner width of the two ramps.
        groups: channels of each group.
        patch: side of a cell in pixels.
    """

    def __init__(
        self,
        width: int = 192,
        depth: int = 2,
        expansion: float = 2,
        context_expansion: float = 4,
        context_width: int = 192,
        parameter_width: int = 384,
        groups: Sequence[int] = (12, 12, 24, 48, 96),
        patch: int = 8,
    ) -> None:
        super().__init__(patch, groups)

        def gated(i: int, o: int) -> nn.Module:
            return GatedBlock(i, o, context_expansion)

        def pointwise(i: int, o: int) -> nn.Module:
            return PointwiseBlock(i, o, context_expansion)

        self.trunk = _gated_trunk(self.grid.channels, width, depth, expansion)
        self.slices = nn.ModuleList()
        for size, before in zip(self.groups, self.before, strict=True):
            context = channel_ramp(before, 2 * size, context_width, gated) if before else None
            inputs = 2 * size * (1 + (before > 0)) + 2 * width
            ramp = channel_ramp(inputs, 2 * size, parameter_width, pointwise)
            head = start_at_zero(nn.Sequential(*ramp, nn.Conv2d(2 * size, 2 * size, 1)))
            self.slices.append(CheckerboardSlice(size, context, head))


def _gated_trunk(channels: int, width: int, depth: int, expansion: float) -> nn.Sequential:
    """Twice a 3x3 convolution and gated blocks, then a convolution to 2N."""
    layers: list[nn.Module] = []
    for i in (channels, width):
        layers.append(nn.Conv2d(i, width, 3, padding=1))
        layers += [GatedBlock(width, width, expansion) for _ in range(depth)]
    return nn.Sequential(*layers, nn.Conv2d(width, 2 * width, 3, padding=1))
