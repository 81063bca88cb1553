"""Coding the latents: one walk over the entropy model, for the encoder and for the decoder.

Encoder and decoder differ only in the channel they are given: one writes symbols, the other reads
them. What both must agree on, the means and scales of y, is computed here in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from compressai.latent_codecs import (
    ChannelGroupsLatentCodec,
    GaussianConditionalLatentCodec,
    HyperpriorLatentCodec,
    RasterScanLatentCodec,
)
from torch import Tensor

from glic_pyg.models.base import LATENT_STRIDE, SIDE_STRIDE, EntropyCoder
from glic_pyg.models.float64_network import in_float64
from glic_pyg.models.group_walk import code_groups
from glic_pyg.models.wavefront_walk import code_wavefronts


@torch.no_grad()
def code_latents(
    codec: HyperpriorLatentCodec, channel: EntropyCoder, y: Tensor | None, shape: tuple[int, int]
) -> Tensor:
    """Send or receive z, then y in the order that its entropy model asks for.

    Args:
        codec: side information in ``codec.hyper``; ``codec.y`` is one of CompressAI's classes below.
        channel: writes symbols (``y`` given) or reads them (``y`` is None).
        y: ``(1, M, h, w)`` latents, or None to decode.
        shape: ``(h, w)`` of y, multiples of 4.

    Returns:
        y_hat, ``(1, M, h, w)`` float64, equal on both sides.
    """
    bottleneck = codec.hyper.entropy_bottleneck
    z = None if y is None else codec.hyper.h_a(y)
    ratio = SIDE_STRIDE // LATENT_STRIDE
    z_shape = (1, bottleneck.channels, shape[0] // ratio, shape[1] // ratio)
    side = in_float64(codec.hyper.h_s, channel.factorized(bottleneck, z_shape, z))
    return _WALKS[type(codec.y)](codec.y, channel, y, side)


def code_at_once(
    codec: GaussianConditionalLatentCodec, channel: EntropyCoder, y: Tensor | None, side: Tensor
) -> Tensor:
    """All of y in one step: its Gaussians follow from the side information alone.

    Args:
        codec: has scales and means, or scales alone; then the means are zero.
        channel, y: as for :func:`code_latents`.
        side: parameters of the Gaussians, ``(1, 2M or M, h, w)`` float64.
    """
    scales, means = codec._chunk(side)
    return channel.gaussian(torch.zeros_like(scales) if means is None else means, scales, y)


_WALKS: dict[type, Callable[[Any, EntropyCoder, Tensor | None, Tensor], Tensor]] = {
    GaussianConditionalLatentCodec: code_at_once,
    RasterScanLatentCodec: code_wavefronts,
    ChannelGroupsLatentCodec: code_groups,
}
