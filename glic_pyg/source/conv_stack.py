"""Stacks of convolutions, and how those that end in a distribution begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn


def conv_stack(widths: Sequence[int], kernel: int, activation: Callable[[], nn.Module]) -> nn.Sequential:
    """Convolutions from one width to the next that keep the resolution, with activations between them.

    As a trunk, from x_hat to features, it is the latents' hyper-synthesis with its upsampling left out: x_hat
    has the resolution of x already.
    """
    layers: list[nn.Module] = []
    for i, o in pairwise(widths):
        layers += [nn.Conv2d(i, o, kernel, padding=kernel // 2), activation()]
    return nn.Sequential(*layers[:-1])


def start_at_zero(network: nn.Sequential) -> nn.Sequential:
    """Set the last convolution to zero: the network begins with delta = rho = 0."""
    last = network[-1]
    assert isinstance(last, nn.Conv2d) and last.bias is not None
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return network
