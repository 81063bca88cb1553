"""A tiny model of variable rate that codes: its transforms are a few cosines, so that quality tells."""

from __future__ import annotations

import math

import torch

from tests.tiny_backbone import TinyBackbone

LEVELS = (0.001, 0.003, 0.01, 0.03, 0.1)
_STEP = 24.0
"""Steps of rounding between black and white, at a gain of 1."""


def tiny_cosines() -> TinyBackbone:
    """A :class:`TinyBackbone` whose g_a and g_s are one another's inverse on smooth images.

    Channels of y are the mean of each colour, and the two lowest cosines of two opponent colours.
    """
    model = TinyBackbone(levels=LEVELS)
    position = (torch.arange(16) + 0.5) * math.pi / 16
    flat, wave = torch.ones(16), math.sqrt(2) * position.cos()
    across, down = torch.outer(flat, wave), torch.outer(wave, flat)
    colours = torch.tensor([[1.0, 1, 1], [1, -1, 0], [1, 1, -2]])
    colours /= colours.norm(dim=1, keepdim=True)
    basis = [(colour, torch.outer(flat, flat)) for colour in colours]
    basis += [(colour, shape) for colour in colours for shape in (across, down)][:5]
    kernels = torch.stack([colour[:, None, None] * shape / 16 for colour, shape in basis])  # orthonormal
    with torch.no_grad():
        model.analysis.weight.copy_(kernels * _STEP / 16)
        model.analysis.bias.copy_(-kernels.sum((1, 2, 3)) * 0.5 * _STEP / 16)
        model.synthesis.weight.copy_(kernels * 16 / _STEP / 0.3)
        model.synthesis.bias.zero_()
    return model
