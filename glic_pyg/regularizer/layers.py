"""Parts of source models: discretised Gaussians, pixels as channels of a coarser grid, convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from compressai.ops.bound_ops import LowerBoundFunction
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

LAST_LEVEL = 255
LIKELIHOOD_FLOOR = 1e-9


def gaussian_bits(symbols: Tensor, means: Tensor, scales: Tensor, floor: float = LIKELIHOOD_FLOOR) -> Tensor:
    r"""Information content of integers 0..255 under discretised Gaussians.

    .. math:: -\log_2 q(x), \qquad
              q(x) = \Phi\left(\frac{x + \frac12 - \mu}{\sigma}\right)
                   - \Phi\left(\frac{x - \frac12 - \mu}{\sigma}\right)

    The bins of 0 and 255 reach to infinity, so that q sums to 1 over 0..255. What we know of arXiv 2411.16727
    names no density; the latents' own, a Gaussian, is aligned with every codec here.

    Computed from log Phi on the side where Phi is small: float32 keeps its digits, and a gradient, hundreds
    of standard deviations out, where the difference of two probabilities is 0 beyond 14. Below ``floor`` the
    gradient survives only where it makes the sample more probable: theta goes on learning from outliers,
    while the codec, which is paid for improbable samples, gains nothing more from them.

    Args:
        symbols: integers 0..255 in a floating dtype, any shape.
        means: in levels, the same shape.
        scales: standard deviations in levels, positive, the same shape.
        floor: least probability; a sample costs at most ``-log2(floor)`` bits.

    Returns:
        bits, the shape of ``symbols``.
    """
    lowest, highest = symbols == 0, symbols == LAST_LEVEL
    open_bin = lowest | highest
    offset = symbols - means
    away = torch.where(open_bin, torch.where(lowest, offset, -offset), -offset.abs())
    log_near, log_far = log_phi((away + 0.5) / scales), log_phi((away - 0.5) / scales)
    ratio = (log_far - log_near).clamp(max=-torch.finfo(means.dtype).eps)
    log_q = log_near + torch.where(open_bin, 0.0, torch.log(-torch.expm1(ratio)))
    least = torch.full((), math.log(floor), dtype=log_q.dtype, device=log_q.device)
    return LowerBoundFunction.apply(log_q, least) / -math.log(2)


def log_phi(z: Tensor) -> Tensor:
    """Logarithm of the standard normal distribution function, with an exact gradient in both tails.

    torch's own gradient is the exponential of a difference of two numbers near z**2 / 2: in float32 it is
    14 % off at z = -2000 and means nothing from -10000 on.
    """
    return _LogPhi.apply(z)


class _LogPhi(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return torch.special.log_ndtr(z)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        return grad * (math.sqrt(2 / math.pi) / torch.special.erfcx(-z / math.sqrt(2)))


COLOURS = 3


class CellGrid(nn.Module):
    """Space to depth: cells of ``patch`` x ``patch`` pixels become ``3 * patch**2`` channels, and back.

    Channels are sorted by phase, the place of a pixel inside its cell, with its three colours side by side.
    Phases go from coarse to fine: the first 1, 2, 4, 8, ... of them are regular lattices over the whole image
    (square and quincunx in turn), so that a later channel always lies between earlier ones. This is the order
    of the dots in Bayer's dither matrix. The papers are silent; latents have no such order, pixels do.

    Args:
        patch: side of a cell in pixels, a power of 2.

    Raises:
        ValueError: if it is not.
    """

    channels_of: Tensor
    phases_of: Tensor

    def __init__(self, patch: int) -> None:
        super().__init__()
        if patch < 1 or patch & (patch - 1):
            raise ValueError(f"patch must be a power of 2 (1, 2, 4, 8, 16), got {patch}.")
        self.patch = patch
        self.channels = COLOURS * patch**2
        order = torch.tensor(coarse_to_fine(patch))
        channels = (order[:, None] + patch**2 * torch.arange(COLOURS)).flatten()
        self.register_buffer("channels_of", channels, persistent=False)
        self.register_buffer("phases_of", channels.argsort(), persistent=False)

    def fold(self, pixels: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> ``(B, 3 * patch**2, H / patch, W / patch)``."""
        return F.pixel_unshuffle(pixels, self.patch)[:, self.channels_of]

    def unfold(self, cells: Tensor) -> Tensor:
        """The inverse of :meth:`fold`."""
        return F.pixel_shuffle(cells[:, self.phases_of], self.patch)


def coarse_to_fine(patch: int) -> list[int]:
    """Row-major places ``row * patch + column`` of a cell, from coarse to fine."""
    places = [(row, column) for row in range(patch) for column in range(patch)]
    places.sort(key=lambda place: _rank(place[0], place[1], patch))
    return [row * patch + column for row, column in places]


def _rank(row: int, column: int, patch: int) -> int:
    """Bayer's rank: the lowest bits of the place decide first, the diagonal before the edges."""
    rank = 0
    for level in range(patch.bit_length() - 1):
        r, c = row >> level & 1, column >> level & 1
        rank = 4 * rank + 2 * (r ^ c) + r
    return rank


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
