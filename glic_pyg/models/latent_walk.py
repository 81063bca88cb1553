"""Coding the latents: one walk over the entropy model, for the encoder and for the decoder.

Encoder and decoder differ only in the channel they are given: one writes symbols, the other reads
them. What both must agree on, the means and scales of y, is computed here in float64.
"""

from __future__ import annotations

import torch
from compressai.latent_codecs import CheckerboardLatentCodec, HyperpriorLatentCodec
from torch import Tensor, nn
from torch.func import functional_call

from glic_pyg.models.contract import SymbolChannel


@torch.no_grad()
def code_latents(
    codec: HyperpriorLatentCodec, channel: SymbolChannel, y: Tensor | None, shape: tuple[int, int]
) -> Tensor:
    """Send or receive y through the space-channel context model.

    Args:
        codec: from :func:`glic_pyg.models.context.space_channel_context`.
        channel: writes symbols (``y`` given) or reads them (``y`` is None).
        y: ``(1, M, h, w)`` latents, or None to decode.
        shape: ``(h, w)`` of y, multiples of 4.

    Returns:
        y_hat, ``(1, M, h, w)`` float64, equal on both sides.
    """
    bottleneck = codec.hyper.entropy_bottleneck
    z = None if y is None else codec.hyper.h_a(y)
    z_hat = channel.factorized(bottleneck, (1, bottleneck.channels, shape[0] // 4, shape[1] // 4), z)
    side = in_float64(codec.hyper.h_s, z_hat)
    groups = codec.y.groups
    y_hat = side.new_zeros(1, sum(groups), *shape)
    first = 0
    for k, size in enumerate(groups):
        params = side
        if k > 0:
            params = torch.cat([in_float64(codec.y.channel_context[f"y{k}"], y_hat[:, :first]), side], 1)
        group = slice(first, first + size)
        values = None if y is None else y[:, group].double()
        y_hat[:, group] = _code_group(codec.y.latent_codec[f"y{k}"], channel, values, params)
        first += size
    return y_hat


def _code_group(
    codec: CheckerboardLatentCodec, channel: SymbolChannel, values: Tensor | None, params: Tensor
) -> Tensor:
    """Two passes over a checkerboard: anchors from ``params`` alone, the rest given the anchors."""
    shape = (2, 1, codec.context_prediction.in_channels, params.shape[2], params.shape[3] // 2)
    halves, params = params.new_zeros(shape), codec.unembed(params)
    values = None if values is None else codec.unembed(values)
    context = params.new_zeros(1, 2 * shape[2], *shape[3:])
    for half in range(2):
        if half:
            context = codec.unembed(in_float64(codec.context_prediction, codec.embed(halves)))[half]
        gaussian = in_float64(codec.entropy_parameters, torch.cat([context, params[half]], 1))
        scales, means = gaussian.chunk(2, 1)
        halves[half] = channel.gaussian(means, scales, None if values is None else values[half])
    return codec.embed(halves)


def in_float64(module: nn.Module, x: Tensor) -> Tensor:
    """Run a float32 module on float64 input, converting its weights one layer at a time.

    A converted copy of a whole entropy model would take twice the model's memory; a converted layer
    lives only while it runs.
    """
    if isinstance(module, nn.Sequential):
        for layer in module:
            x = in_float64(layer, x)
        return x
    weights = {name: p.double() for name, p in module.named_parameters()}
    return functional_call(module, weights, (x.double(),))
