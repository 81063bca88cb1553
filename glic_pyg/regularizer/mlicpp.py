"""q_theta aligned with MLIC++: slices that see each other through local, channel and global context."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glic_pyg.models.checkerboard import ANCHORS, OTHERS, half_of, only, weave
from glic_pyg.models.mlicpp.attention import InterSliceAttention, IntraSliceAttention, LocalAttention
from glic_pyg.regularizer.families import ChannelSliceSource
from glic_pyg.regularizer.layers import conv_stack, start_at_zero


class MLICppSource(ChannelSliceSource):
    """Design (d) of arXiv 2411.16727, Fig. 3, with the context modules of MLIC++ as they are.

    Ours: cells of 8 pixels, which make 6 slices of 32 samples, the size of MLIC++'s slices of latents;
    nothing is rounded, so there is no latent residual prediction.

    Args:
        width: N, channels of the features of x_hat are 2N.
        slices: of equally many samples.
        heads, window: of the attention among the anchors of a slice.
        channel_widths, parameter_widths: inner widths of the channel context and the entropy parameters.
        patch: side of a cell in pixels.

    Images have sides that are multiples of two cells: both halves of a checkerboard must be equal.

    Raises:
        ValueError: if the samples of a cell do not divide into the slices, or these into the heads.
    """

    def __init__(
        self,
        width: int = 192,
        slices: int = 6,
        heads: int = 2,
        window: int = 5,
        channel_widths: Sequence[int] = (192, 128),
        parameter_widths: Sequence[int] = (320, 256, 128),
        patch: int = 8,
    ) -> None:
        samples = 3 * patch**2
        if samples % (slices * heads):
            raise ValueError(
                f"the {samples} samples of a cell of {patch}x{patch} pixels do not divide into {slices} "
                f"slices of {heads} heads each."
            )
        super().__init__(patch, [samples // slices] * slices)
        self.multiple = 2 * patch
        self.trunk = conv_stack((samples, width, 3 * width // 2, 2 * width), 3, nn.GELU)
        self.slices = nn.ModuleList(
            MLICppSlice(i, size, 2 * width, heads, window, channel_widths, parameter_widths)
            for i, size in enumerate(self.groups)
        )


class MLICppSlice(nn.Module):
    """One slice: the anchors from the slices before, the other sites from the anchors too.

    Args:
        index: how many slices come before.
        channels: C, of the slice.
        features: channels of the features of x_hat.
        heads, window, channel_widths, parameter_widths: see :class:`MLICppSource`.
    """

    def __init__(
        self,
        index: int,
        channels: int,
        features: int,
        heads: int,
        window: int,
        channel_widths: Sequence[int],
        parameter_widths: Sequence[int],
    ) -> None:
        super().__init__()
        self.index, self.channels = index, channels
        both = 2 * channels
        given, near = features, both
        self.local = LocalAttention(channels, heads, window)
        if index > 0:
            self.channel = conv_stack((index * channels, *channel_widths, 2 * both), 3, nn.GELU)
            self.inter = InterSliceAttention(channels, index)
            self.intra = IntraSliceAttention(channels, heads)
            given, near = features + 3 * both, 2 * both
        self.anchor_parameters, self.other_parameters = (
            start_at_zero(conv_stack((inputs, *parameter_widths, both), 1, nn.GELU))
            for inputs in (given, near + given)
        )

    def forward(self, own: Tensor, before: Tensor, features: Tensor) -> Tensor:
        anchors = only(half_of(own, ANCHORS), ANCHORS)
        near = [self.local(anchors)]
        given = [features]
        if self.index > 0:
            near.append(half_of(self.intra(before[:, -self.channels :], anchors), OTHERS))
            given += [self.inter(before), self.channel(before)]
        known = torch.cat(given, 1)
        others = self.other_parameters(torch.cat([*near, half_of(known, OTHERS)], 1))
        return weave(others, self.anchor_parameters(half_of(known, ANCHORS)))
