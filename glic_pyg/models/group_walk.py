"""Coding y group of channels by group, each in two passes over a checkerboard (ELIC, arXiv 2203.10886)."""

from __future__ import annotations

import torch
from compressai.latent_codecs import ChannelGroupsLatentCodec, CheckerboardLatentCodec
from torch import Tensor

from glic_pyg.models.base import EntropyCoder
from glic_pyg.models.checkerboard import SecondHalfContext
from glic_pyg.models.float64_network import in_float64


def code_groups(
    codec: ChannelGroupsLatentCodec, channel: EntropyCoder, y: Tensor | None, side: Tensor
) -> Tensor:
    """Send or receive y through a space-channel context model.

    Args:
        codec: groups of channels, a :class:`CheckerboardLatentCodec` in each.
        channel: writes symbols (``y`` given) or reads them (``y`` is None).
        y: ``(1, M, h, w)`` latents, or None to decode; w even.
        side: what h_s says, ``(1, C, h, w)`` float64.

    Returns:
        y_hat, ``(1, M, h, w)`` float64, equal on both sides.
    """
    y_hat = side.new_zeros(1, sum(codec.groups), *side.shape[2:])
    first = 0
    for k, size in enumerate(codec.groups):
        params = side
        if k > 0:
            params = torch.cat([in_float64(codec.channel_context[f"y{k}"], y_hat[:, :first]), side], 1)
        group = slice(first, first + size)
        values = None if y is None else y[:, group]
        y_hat[:, group] = _code_group(codec.latent_codec[f"y{k}"], channel, values, params)
        first += size
    return y_hat


def _code_group(
    codec: CheckerboardLatentCodec, channel: EntropyCoder, values: Tensor | None, params: Tensor
) -> Tensor:
    """Two passes over a checkerboard: anchors from ``params`` alone, the rest given the anchors."""
    shape = (2, 1, codec.context_prediction.in_channels, params.shape[2], params.shape[3] // 2)
    halves, params = params.new_zeros(shape), codec.unembed(params)
    values = None if values is None else codec.unembed(values)
    context = params.new_zeros(1, 2 * shape[2], *shape[3:])
    for half in range(2):
        if half:
            context = in_float64(SecondHalfContext(codec.context_prediction), halves[0])
        gaussian = in_float64(codec.entropy_parameters, torch.cat([context, params[half]], 1))
        scales, means = gaussian.chunk(2, 1)
        halves[half] = channel.gaussian(means, scales, None if values is None else values[half])
    return codec.embed(halves)
