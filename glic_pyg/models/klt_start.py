"""Start a codec as the best linear transform codec of its kind, instead of from noise.

The side branch of GLIC is a chain of linear maps of Haar bands. Setting each map to the principal
axes of its own bands (the Karhunen-Loeve transform), the synthesis maps to their transposes, and the
last convolution of both main branches to zero makes the untrained model an ordinary transform codec:
it reconstructs images from the first step on, and training starts from there. The loss, the
architecture and the released weights are not touched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from glic_pyg.models.glic import GLIC
from glic_pyg.nn import HaarDown, HaarUp, PointwiseBlock, Rescale
from glic_pyg.nn.channels_last import rows_of
from glic_pyg.nn.haar_branch import HaarBranch

LEAST_SCALE = 0.11
LEAST_LATENT_SCALE = 0.3
"""Channels of less spread are hardly ever coded: amplifying them further would amplify noise."""
HYPER_GAIN = 8.0
"""Gain of z of a conditioned model, so that rounding it to integers leaves something of its start."""


@torch.no_grad()
def klt_start(model: GLIC, x: Tensor, lmbda: float) -> None:
    r"""Set the side branches, the last main convolutions and the prior's scales from images.

    Latents are rounded to integers, so the gain of the transform is its quantiser. At high rate a
    uniform quantiser of step D minimises bpp + lmbda 255^2 MSE, MSE over the three colours, where

    .. math:: \Delta^2 = 18 / (\ln 2 \cdot \lambda \cdot 255^2),

    and the log-scales of the four Haar steps share out the gain 1 / D.

    Args:
        model: a model that has not been trained.
        x: ``(B, 3, H, W)`` images in [0, 1]; the more the better, H and W multiples of 16.
        lmbda: the rate-distortion trade-off that training will use; for a variable-rate model that of its
            middle.
    """
    log_gain = -0.5 * math.log(18 / (math.log(2) * lmbda * 255**2)) / len(model.g_a.side)
    for branch in [*model.g_a.side, *model.g_s.side]:
        cast(HaarBranch, branch).scaling.fill_(log_gain)
    side = [x]
    for down, up in zip(model.g_a.side, reversed(model.g_s.side), strict=True):
        side.append(_set_axes(cast(HaarDown, down), cast(HaarUp, up), side[-1]))
    silence(model.g_a.down[-1])
    silence(model.g_s.up[-1])
    if model.config["conditioned"]:
        _condition(model, side[1:])
    set_scales(model, side[-1])


def _set_axes(down: HaarDown, up: HaarUp, x: Tensor) -> Tensor:
    """Point one pair of maps along the principal axes of the bands of x; returns the next side map."""
    bands = haar_bands(down, x)
    mean = bands.mean(0)
    axes = principal_axes(bands - mean)
    kept = min(down.linear.out_features, len(axes))
    for linear in (down.linear, up.linear):
        linear.weight.zero_()
    down.linear.weight[:kept] = axes[:kept]
    down.linear.bias.copy_(-down.linear.weight @ mean)
    up.linear.weight[:, :kept] = axes[:kept].T
    up.linear.bias.copy_(mean)
    return down(x)


def principal_axes(centred: Tensor) -> Tensor:
    """Orthonormal axes of ``(places, C)`` samples of mean zero, ``(C, C)``; the greatest spread first."""
    covariance = centred.T @ centred / len(centred)
    return torch.linalg.eigh(covariance.double()).eigenvectors.flip(1).T.to(centred.dtype)


def haar_bands(down: HaarDown, x: Tensor) -> Tensor:
    """The scaled Haar bands that the map of ``down`` reads, ``(places, 4 * channels)``."""
    rows = rows_of(x)
    b, h, w, c = rows.shape
    blocks = rows.view(b, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(-1, 4, c)
    return torch.einsum("npc,bp->nbc", blocks, down.haar).flatten(1) * down.scaling.exp()


def silence(layer: nn.Module) -> None:
    """Set all trainable parameters of ``layer`` to zero."""
    for parameter in layer.parameters():
        if parameter.requires_grad:
            parameter.zero_()


def _condition(model: GLIC, side: Sequence[Tensor]) -> None:
    """Set the fixed factors of a conditioned model from the side maps of its four stages."""
    *inner, latents = (maps.std((0, 2, 3)) for maps in side)
    latents = latents.clamp_min(LEAST_LATENT_SCALE)
    inner = [scale.clamp_min(1) for scale in inner]
    for stage, scale in enumerate(inner, start=1):
        _front(model.g_a.down[stage]).set(1 / scale)
        _front(model.g_s.up[-stage]).set(1 / scale)
    _front(model.g_s.up[0]).set(1 / latents)
    hyper, y = model.latent_codec.hyper, model.latent_codec.y
    _front(hyper.h_a).set(1 / latents)
    hyper.h_a[-1].factor.fill_(HYPER_GAIN)
    hyper.h_s[0].factor.fill_(1 / HYPER_GAIN)
    first = 0
    for number, (codec, size) in enumerate(zip(y.latent_codec.values(), y.groups, strict=True)):
        own = latents[first : first + size]
        if number:
            _front(y.channel_context[f"y{number}"]).set(1 / latents[:first])
        codec.context_prediction.rescale.set(1 / own)
        codec.entropy_parameters[-1].set(own.repeat(2))
        first += size


def _front(layers: nn.Module) -> Rescale:
    """The Rescale in front of a network."""
    return cast(Rescale, cast(nn.Sequential, layers)[0])


def set_scales(model: GLIC, latents: Tensor, first_group: int = 0) -> None:
    """Let the prior of latent channels start with each channel's own standard deviation.

    Args:
        model: whose entropy parameters to set.
        latents: (B, M, h, w), as the entropy model sees them.
        first_group: the first group that is touched.
    """
    groups = model.latent_codec.y.latent_codec
    scales = latents.std((0, 2, 3)).clamp_min(LEAST_SCALE).split(model.latent_codec.y.groups)
    for codec, part in list(zip(groups.values(), scales, strict=True))[first_group:]:
        *_, last = (layer for layer in codec.entropy_parameters if isinstance(layer, PointwiseBlock))
        behind = codec.entropy_parameters[-1]
        factor = behind.factor[: len(part)] if isinstance(behind, Rescale) else 1
        bias: Tensor = last.mix.bias
        bias[: len(part)] = part / factor
