"""The convolutions that turn the reconstruction into features, in the place of h_s(z_hat)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn


def conv_trunk(widths: Sequence[int], activation: Callable[[], nn.Module]) -> nn.Sequential:
    """3x3 convolutions from one width to the next, with activations between them.

    The latents' hyper-synthesis with its upsampling left out: x_hat has the resolution of x already.
    """
    layers: list[nn.Module] = []
    for i, o in pairwise(widths):
        layers += [nn.Conv2d(i, o, 3, padding=1), activation()]
    return nn.Sequential(*layers[:-1])


def start_at_zero(network: nn.Sequential) -> nn.Sequential:
    """Set the last convolution to zero: the network begins with delta = rho = 0."""
    last = network[-1]
    assert isinstance(last, nn.Conv2d) and last.bias is not None
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return network
