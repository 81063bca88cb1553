"""Source models q_theta aligned with the entropy models of five codecs; MLIC++'s is in :mod:`.mlicpp`.

Each predicts the error of a reconstruction the way its codec's entropy model predicts latents: from x_hat
alone (hyperprior), from cells before it in raster order (autoregressive, attention), or channel group by
channel group behind a checkerboard (ELIC, GLIC).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from glic_pyg.models.checkerboard import CausalContext, SpatialContext
from glic_pyg.models.context import channel_ramp, ramp_widths
from glic_pyg.nn import GatedBlock, PointwiseBlock
from glic_pyg.regularizer.layers import conv_stack, start_at_zero
from glic_pyg.regularizer.source_model import SourceModel


class HyperpriorSource(SourceModel):
    """Design (a) of arXiv 2411.16727, Fig. 3: an h_s of three convolutions straight to the parameters.

    Layers are ours (bmshj2018's three layers and ReLU). Cells of 4 pixels rather than the 16 of the latents'
    grid: without context nothing gains from many channels, and small cells share weights between more pixels.

    Args:
        width: N, channels of the inner layers.
        patch: side of a cell in pixels.
    """

    def __init__(self, width: int = 192, patch: int = 4) -> None:
        super().__init__(patch)
        channels = self.grid.channels
        self.trunk = start_at_zero(conv_stack((channels, width, width, 2 * channels), 3, nn.ReLU))

    def predict(self, error: Tensor, x_hat: Tensor) -> Tensor:
        return self.trunk(x_hat)


class AutoregressiveSource(SourceModel):
    """Design (b) of arXiv 2411.16727, Fig. 3: features of x_hat, a masked 5x5 convolution, 1x1 networks.

    Cells come one after the other in raster order, the samples of a cell at once; in training all cells are
    parallel. Layers are ours, mbt2018's: h_s widths N, 3N/2, 2N, inner widths 10N/3 and 8N/3, LeakyReLU.
    Cells of 4 pixels: with the 16 of the latents' grid the context would be 16 pixels away.

    Args:
        width: N.
        patch: side of a cell in pixels.
    """

    trunk_widths: Sequence[float] = (1, 3 / 2, 2)
    """Of the layers that make features of x_hat, in units of N."""

    def __init__(self, width: int = 192, patch: int = 4) -> None:
        super().__init__(patch)
        channels = self.grid.channels
        features = [int(w * width) for w in self.trunk_widths]
        self.trunk = conv_stack((channels, *features), 3, nn.LeakyReLU)
        self.context = CausalContext(channels, 2 * width, kernel_size=5, padding=2)
        widths = (4 * width, 10 * width // 3, 8 * width // 3, 2 * channels)
        self.entropy_parameters = start_at_zero(conv_stack(widths, 1, nn.LeakyReLU))

    def predict(self, error: Tensor, x_hat: Tensor) -> Tensor:
        return self.entropy_parameters(torch.cat([self.context(error), self.trunk(x_hat)], 1))


class AttentionSource(AutoregressiveSource):
    """Design (b) of arXiv 2411.16727, Fig. 3, with the longer h_s of cheng2020.

    The attention of that codec is in its transforms; its entropy model is the autoregressive one behind a
    hyper-synthesis of five layers, and the paper draws one design for both. So this is
    :class:`AutoregressiveSource` with those five.
    """

    trunk_widths = (1, 1, 3 / 2, 3 / 2, 2)


class ChannelSliceSource(SourceModel):
    """Groups of channels one after the other, each given all before it.

    Args:
        patch: side of a cell in pixels.
        groups: channels of each group; they sum to ``3 * patch**2``.

    Attributes:
        trunk: features ``(B, F, h, w)`` of x_hat.
        slices: one module a group, from its own errors ``(B, g, h, w)``, those of all earlier groups and the
            features to delta and rho, ``(B, 2g, h, w)``. Its own errors it reads in an order of its own.

    Raises:
        ValueError: if the groups do not sum to the channels of a cell.
    """

    def __init__(self, patch: int, groups: Sequence[int]) -> None:
        super().__init__(patch)
        if sum(groups) != self.grid.channels:
            raise ValueError(
                f"channel groups {tuple(groups)} sum to {sum(groups)}, not to the {self.grid.channels} "
                f"samples of a cell of {patch}x{patch} pixels."
            )
        self.groups = tuple(groups)
        self.before = tuple(accumulate(groups, initial=0))[:-1]
        """How many channels come before each group."""
        self.trunk: nn.Module
        self.slices: nn.ModuleList

    def predict(self, error: Tensor, x_hat: Tensor) -> Tensor:
        features = self.trunk(x_hat)
        predicted = [
            network(own, error[:, :first], features)
            for network, own, first in zip(self.slices, error.split(self.groups, 1), self.before, strict=True)
        ]
        deltas, rhos = zip(*(p.chunk(2, 1) for p in predicted), strict=True)
        return torch.cat([*deltas, *rhos], 1)


class CheckerboardSlice(nn.Module):
    """ELIC's space-channel context of one group: earlier groups everywhere, its own anchors elsewhere.

    Sites whose row + column is even are anchors; the others see the anchors around them. A decoder takes two
    passes. Here every symbol is known and ``entropy_parameters`` works site by site, so that one pass with
    the spatial context erased at the anchors gives the same numbers.

    Args:
        channels: of the group.
        channel_context: network of the earlier groups, or None for the first group.
        entropy_parameters: pointwise network of spatial context (2g), channel context and features.
    """

    def __init__(
        self, channels: int, channel_context: nn.Module | None, entropy_parameters: nn.Module
    ) -> None:
        super().__init__()
        self.channel_context = channel_context
        self.spatial_context = SpatialContext(channels, 2 * channels, kernel_size=5, padding=2)
        self.entropy_parameters = entropy_parameters

    def forward(self, own: Tensor, before: Tensor, features: Tensor) -> Tensor:
        known = [self.spatial_context(own).masked_fill(_anchors(own), 0)]
        if self.channel_context is not None:
            known.append(self.channel_context(before))
        return self.entropy_parameters(torch.cat([*known, features], 1))


def _anchors(cells: Tensor) -> Tensor:
    """``(h, w)`` bool, true where row + column is even."""
    row, column = (torch.arange(n, device=cells.device) for n in cells.shape[-2:])
    return (row[:, None] + column) % 2 == 0


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
