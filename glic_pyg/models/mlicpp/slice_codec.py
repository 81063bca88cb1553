"""Coding one slice of y: the contexts, the two halves of the checkerboard, the correction after each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glic_pyg.models.base import EntropyCoder
from glic_pyg.models.mlicpp.checkerboard import ANCHORS, OTHERS, half_of, only, weave
from glic_pyg.models.mlicpp.global_attention import InterSliceAttention, IntraSliceAttention
from glic_pyg.models.mlicpp.local_attention import LocalAttention
from glic_pyg.models.mlicpp.transforms import conv_stack

REACH = 0.5  # what latent residual prediction may add, at most


class SliceCodec(nn.Module):
    r"""One slice of y under the multi-reference entropy model (MLIC++).

    The anchors are coded given the hyperprior and all slices before, the other sites given the anchors too.
    After each half, latent residual prediction corrects what rounding did:

    .. math:: \hat y \leftarrow \hat y + \tfrac12 \tanh(\mathrm{LRP}(\mu_h, \hat y_{<i}, \hat y)).

    What concerns both halves is computed once, and the parameters of a half at its own sites alone.

    Args:
        index: i, how many slices come before.
        channels: C, of a slice.
        latent_channels: M, of y.
        heads, window: of the attention among the anchors.
        channel_widths: inner widths of the channel context.
        parameter_widths: inner widths of the entropy parameters.
        residual_widths: inner widths of latent residual prediction; ``None`` lets three widths fall in equal
            steps from the input's to C, as in the weights of September 2023.
    """

    def __init__(
        self,
        index: int,
        channels: int,
        latent_channels: int,
        *,
        heads: int,
        window: int,
        channel_widths: Sequence[int],
        parameter_widths: Sequence[int],
        residual_widths: Sequence[int] | None,
    ) -> None:
        super().__init__()
        self.index, self.channels = index, channels
        before, both = index * channels, 2 * channels
        given = 2 * latent_channels
        self.local = LocalAttention(channels, heads, window)
        if index > 0:
            self.channel = conv_stack([before, *channel_widths, 2 * both], 3)
            self.inter = InterSliceAttention(channels, index)
            self.intra = IntraSliceAttention(channels, heads)
            given += 3 * both
        near = both if index == 0 else 2 * both
        self.anchor_parameters = conv_stack([given, *parameter_widths, both], 1)
        self.other_parameters = conv_stack([near + given, *parameter_widths, both], 1)
        seen = latent_channels + before + channels
        inner = _falling(seen, channels) if residual_widths is None else residual_widths
        self.anchor_residual = conv_stack([seen, *inner, channels], 3)
        self.other_residual = conv_stack([seen, *inner, channels], 3)

    def forward(self, channel: EntropyCoder, side: Tensor, decoded: Tensor, values: Tensor | None) -> Tensor:
        """Send or receive the slice.

        Args:
            channel: writes symbols (``values`` given), reads them, or only quantises.
            side: ``(B, 2M, h, w)``, the output of h_s; its second half are the means.
            decoded: ``(B, i * C, h, w)``, the slices before.
            values: ``(B, C, h, w)``, the slice of y, or None to decode.

        Returns:
            y_hat of the slice, ``(B, C, h, w)``.
        """
        given = self._given(side, decoded)
        seen = torch.cat([side[:, side.shape[1] // 2 :], decoded], 1)

        anchors = _code(channel, self.anchor_parameters, half_of(given, ANCHORS), values, ANCHORS)
        map_of_anchors = only(anchors, ANCHORS)
        residual = _residual(self.anchor_residual, seen, map_of_anchors, ANCHORS)
        anchors = channel.lattice(anchors + residual)

        map_of_anchors = only(anchors, ANCHORS)
        near = self._near(decoded, map_of_anchors)
        parameters = torch.cat([near, half_of(given, OTHERS)], 1)
        others = _code(channel, self.other_parameters, parameters, values, OTHERS)
        residual = _residual(self.other_residual, seen, weave(others, anchors), OTHERS)
        return weave(channel.lattice(others + residual), anchors)

    def _given(self, side: Tensor, decoded: Tensor) -> Tensor:
        """What is known of all sites beforehand: inter-slice and channel context, and the hyperprior."""
        if self.index == 0:
            return side
        return torch.cat([self.inter(decoded), self.channel(decoded), side], 1)

    def _near(self, decoded: Tensor, anchors: Tensor) -> Tensor:
        """What the anchors tell the other sites, half a map: local and intra-slice context."""
        local = self.local(anchors)
        if self.index == 0:
            return local
        intra = self.intra(decoded[:, -self.channels :], anchors)
        return torch.cat([local, half_of(intra, OTHERS)], 1)


def _code(
    channel: EntropyCoder, network: nn.Module, context: Tensor, values: Tensor | None, parity: int
) -> Tensor:
    """The sites of one parity through the channel, half a map."""
    scales, means = network(context).chunk(2, 1)
    return channel.gaussian(means, scales, None if values is None else half_of(values, parity))


def _residual(network: nn.Module, seen: Tensor, current: Tensor, parity: int) -> Tensor:
    """Latent residual prediction for the sites of one parity, half a map."""
    return REACH * torch.tanh(half_of(network(torch.cat([seen, current], 1)), parity))


def _falling(first: int, last: int) -> list[int]:
    """Three widths between two others."""
    return [first - (first - last) * quarters // 4 for quarters in (1, 2, 3)]
