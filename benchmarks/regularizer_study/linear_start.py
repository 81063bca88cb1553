"""Start a convolutional hyperprior as a linear transform codec, so that a few hundred steps suffice."""

from __future__ import annotations

import math
from typing import cast

import torch
from compressai.layers import GDN
from torch import Tensor, nn
from torch.nn import functional as F

from glic_pyg.models.compressai import Hyperprior

__all__ = ["linear_start"]

CURVATURE = 0.01
"""Gamma of every GDN and inverse GDN: almost the identity, but not stuck there."""
NOISE = 0.03
"""Share of the random first weights that is kept, so that channels which are not needed yet can learn."""
LEAST_SCALE = 0.11


@torch.no_grad()
def linear_start(model: Hyperprior, x: Tensor, lmbda: float) -> None:
    r"""The counterpart of :func:`glic_pyg.models.init.klt_init` for CompressAI's transforms.

    Each strided convolution takes the principal axes of its 2x2 blocks (the Karhunen-Loève transform), each
    transposed one their inverse. The last convolution's gain makes the unit quantiser one of the step

    .. math:: \Delta^2 = 18 / (\ln 2 \cdot \lambda \cdot 255^2),

    the best of a uniform quantiser at high rate.

    Args:
        model: not trained yet.
        x: ``(B, 3, H, W)`` in [0, 1], H and W multiples of 16.
        lmbda: that training will use.
    """
    gain = math.sqrt(math.log(2) * lmbda * 255**2 / 18)
    analysis, synthesis = cast(nn.Sequential, model.g_a), cast(nn.Sequential, model.g_s)
    downs = [layer for layer in analysis if isinstance(layer, nn.Conv2d)]
    ups = [layer for layer in synthesis if isinstance(layer, nn.ConvTranspose2d)]
    for layer in [*analysis, *synthesis]:
        if isinstance(layer, GDN):
            layer.gamma.copy_(layer.gamma_reparam.init(CURVATURE * torch.eye(len(layer.gamma))))
    mean = x.mean((0, 2, 3))
    latents = x - mean[:, None, None]
    for down, up in zip(downs, reversed(ups), strict=True):
        latents = _set_axes(down, up, latents)
    _bias(downs[0]).copy_(-downs[0].weight.sum((2, 3)) @ mean)
    _bias(ups[-1]).copy_(mean)
    downs[-1].weight.mul_(gain)
    ups[0].weight.div_(gain)
    h_s = cast(nn.Sequential, model.latent_codec.latent_codec["hyper"].h_s)
    _bias(h_s[-2]).copy_((gain * latents.std((0, 2, 3))).clamp_min(LEAST_SCALE))


def _set_axes(down: nn.Conv2d, up: nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """Point a pair of 5x5 kernels along the principal axes of the 2x2 blocks of x; returns the next map.

    With padding 2 and stride 2 the taps 2 and 3 of a kernel are the two pixels of a block.
    """
    blocks = F.pixel_unshuffle(x, 2).movedim(1, -1).flatten(0, 2)
    axes = torch.linalg.eigh((blocks.T @ blocks / len(blocks)).double()).eigenvectors.flip(1).T.to(x)
    kept = min(down.out_channels, len(axes))
    for layer in (down, up):
        layer.weight.mul_(NOISE)
        _bias(layer).zero_()
    kernels = axes[:kept].view(kept, -1, 2, 2)
    down.weight[:kept, :, 2:4, 2:4] = kernels
    up.weight[:kept, :, 2:4, 2:4] = kernels
    return F.conv2d(x, down.weight, None, down.stride, down.padding)


def _bias(layer: nn.Module) -> Tensor:
    return cast(Tensor, layer.bias)
