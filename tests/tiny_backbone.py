"""A backbone that fulfils ``models.contract`` with a few thousand weights, to test files fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from torch import Tensor, nn
from torch.nn import functional as F

from glic_pyg.models.base import Codec, EntropyCoder
from glic_pyg.models.coding import in_float64
from glic_pyg.models.gain import Gain


class TinyBackbone(Codec):
    """A hyperprior with one context step: the second half of y is predicted from the first.

    y is (B, 8, H/16, W/16), z is (B, 4, H/64, W/64). With ``levels`` it has a variable rate.
    """

    latent_channels = 8

    def __init__(self, seed: int = 0, levels: Sequence[float] | None = None) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"seed": seed, "levels": levels}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.analysis = nn.Conv2d(3, 8, 16, stride=16)
            self.synthesis = nn.ConvTranspose2d(8, 3, 16, stride=16)
            self.h_a = nn.Sequential(nn.Conv2d(8, 4, 4, stride=4), nn.GELU(), nn.Conv2d(4, 4, 1))
            self.h_s = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.GELU(), nn.Conv2d(8, 8, 1))
            self.context = nn.Sequential(nn.Conv2d(12, 16, 3, padding=1), nn.GELU(), nn.Conv2d(16, 8, 1))
            self.bottleneck = EntropyBottleneck(4)
        for weights in (self.analysis.weight, self.h_a[0].weight, self.h_s[0].weight):
            weights.data.mul_(8.0)
        for last in (self.h_s[2], self.context[2]):
            last.weight.data[4:].mul_(0.1)
            last.bias.data[4:].fill_(1.2)
        self.rates = None if levels is None else Gain(levels, self.latent_channels)
        self.eval()

    def g_a(self, x: Tensor) -> Tensor:
        return self.analysis(x)

    def g_s(self, y_hat: Tensor) -> Tensor:
        return self.synthesis(y_hat) * 0.3 + 0.5

    def code_latents(self, coder: EntropyCoder, y: Tensor | None = None, *, shape: tuple[int, int]) -> Tensor:
        missing = -shape[0] % 4, -shape[1] % 4
        z = None if y is None else self.h_a(F.pad(y, (0, missing[1], 0, missing[0])))
        z_shape = (1, 4, (shape[0] + missing[0]) // 4, (shape[1] + missing[1]) // 4)
        z_hat = coder.factorized(self.bottleneck, z_shape, z)
        side = F.interpolate(in_float64(self.h_s, z_hat), scale_factor=4.0)[:, :, : shape[0], : shape[1]]
        first, second = (None, None) if y is None else y.chunk(2, 1)
        first_hat = _gaussian(coder, side, first)
        second_hat = _gaussian(coder, in_float64(self.context, torch.cat([side, first_hat], 1)), second)
        return torch.cat([first_hat, second_hat], 1)

    def latent_codec(self, y: Tensor) -> dict[str, Any]:
        z_hat, z_likelihoods = self.bottleneck(self.h_a(y), training=False)
        side, (first, second) = F.interpolate(self.h_s(z_hat), scale_factor=4.0), y.chunk(2, 1)
        first_hat, first_likelihoods = _estimate(side, first)
        second_hat, second_likelihoods = _estimate(self.context(torch.cat([side, first_hat], 1)), second)
        y_likelihoods = torch.cat([first_likelihoods, second_likelihoods], 1)
        y_hat = torch.cat([first_hat, second_hat], 1)
        return {"y_hat": y_hat, "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}


def _gaussian(coder: EntropyCoder, parameters: Tensor, values: Tensor | None) -> Tensor:
    means, scales = parameters.chunk(2, 1)
    return coder.gaussian(means, F.softplus(scales), values)


def _estimate(parameters: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    means, scales = parameters.chunk(2, 1)
    return GaussianConditional(None)(values, F.softplus(scales), means, training=False)
