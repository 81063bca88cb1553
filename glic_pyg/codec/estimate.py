"""Bits that a model's likelihoods predict, to be held against the real bytes.

The likelihoods are CompressAI's: mass of the unit bin around the latent, never below 1e-9.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from glic_pyg.codec.tables import LEAST_SCALE

if TYPE_CHECKING:
    from compressai.entropy_models import EntropyBottleneck

__all__ = ["factorized_bits", "gaussian_bits"]

_LEAST_LIKELIHOOD = 1e-9


def _bits(likelihood: Tensor) -> float:
    return float(-likelihood.clamp_min(_LEAST_LIKELIHOOD).log2_().sum())


def gaussian_bits(residual: Tensor, scales: Tensor) -> float:
    """Bits of latents at ``residual`` = y_hat - mean under Gaussians of standard deviation ``scales``."""
    spread = scales.clamp_min(LEAST_SCALE) * math.sqrt(2.0)
    distance = residual.abs()
    nearer = torch.erfc((distance - 0.5) / spread)
    return _bits((nearer - torch.erfc((distance + 0.5) / spread)).div_(2))


def factorized_bits(bottleneck: EntropyBottleneck, symbols: Tensor) -> float:
    """Bits of z at ``symbols`` (1, C, h, w) steps from the medians under a factorized prior."""
    steps = symbols.flatten(2).transpose(0, 1).to(bottleneck.quantiles.dtype)
    likelihood, _, _ = bottleneck._likelihood(steps + bottleneck._get_medians(), stop_gradient=True)
    return _bits(likelihood.double())
