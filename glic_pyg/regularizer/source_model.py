"""What all source entropy models q_theta(x | x_hat) share: pixels, parametrisation, likelihood."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from glic_pyg.numerics import at_least_float32
from glic_pyg.regularizer.layers import LAST_LEVEL, CellGrid, gaussian_bits

UNIT = 8.0
"""Levels that a network's output of 1 stands for."""

LEAST_SCALE = 0.11
"""Levels; the bound that the latents' scales have in CompressAI."""

SOFTPLUS_ONE = math.log(math.e - 1)
"""softplus is 1 here."""


class PixelGaussian(NamedTuple):
    """Parameters of the discretised Gaussian of each sample, in levels 0..255."""

    means: Tensor
    """``(B, 3, H, W)``."""
    scales: Tensor
    """``(B, 3, H, W)``, at least ``LEAST_SCALE``."""


class SourceModel(nn.Module):
    r"""A learned distribution of 8-bit pixels given their reconstruction (arXiv 2411.16727, q_theta).

    .. math::
        \mu_i = 255\,\hat x_i + 8\,\delta_i, \qquad
        \sigma_i = 0.11 + 8\,\mathrm{softplus}(\rho_i + \ln(e - 1))

    x_hat is what z_hat is to the latents: it conditions everything and costs no bits. The networks of a
    family (:meth:`predict`) give delta and rho from x_hat and from the samples that come earlier in the
    family's order. They start at zero: the mean at x_hat, the scale at 8 levels.

    Ours, where the paper is silent: the parametrisation above (both outputs in units of 8 levels, about one
    standard deviation, so that a step of the optimizer moves mean and scale alike); and that the earlier
    samples are shown as their errors x - x_hat in the same unit. Given x_hat this is the same knowledge, but
    a network need not first learn to subtract two large numbers to see a small one.

    Nothing here draws random numbers. The networks run in the ambient precision (autocast included), the
    likelihood in float32, or in float64 if x_hat is.

    Args:
        patch: side in pixels of the cells whose pixels become channels, see :class:`CellGrid`.
    """

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.grid = CellGrid(patch)
        self.multiple = patch
        """Height and width of x must be multiples of this many pixels."""

    def predict(self, error: Tensor, x_hat: Tensor) -> Tensor:
        """The networks of a family.

        Args:
            error: ``(B, C, h, w)``, all samples' errors ``(x - 255 x_hat) / UNIT`` on the cell grid; what is
                predicted for a sample may depend on earlier ones only.
            x_hat: ``(B, C, h, w)``, the reconstruction on the cell grid, about -1..1.

        Returns:
            ``(B, 2C, h, w)``: delta, then rho.
        """
        raise NotImplementedError

    def distribution(self, x: Tensor, x_hat: Tensor) -> PixelGaussian:
        """Parameters of every sample's distribution given x_hat and the samples before it.

        Args:
            x: ``(B, 3, H, W)`` in [0, 1], 8-bit values / 255.
            x_hat: ``(B, 3, H, W)``, any float dtype, not clamped.

        Raises:
            ValueError: if H or W is not a multiple of ``multiple``.
        """
        self._check(x, x_hat)
        x_hat = at_least_float32(x_hat)
        levels = LAST_LEVEL * x_hat
        error = (levels_of(x) - levels) / UNIT
        predicted = self.predict(self.grid.fold(error), self.grid.fold(2 * x_hat - 1))
        delta, rho = (self.grid.unfold(half).to(levels.dtype) for half in predicted.chunk(2, 1))
        return PixelGaussian(levels + UNIT * delta, LEAST_SCALE + UNIT * F.softplus(rho + SOFTPLUS_ONE))

    def forward(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Bits of every sample, ``(B, 3, H, W)``: -log2 q(x_i | x_hat, samples before i).

        Their sum over B * H * W is the cross-entropy, an upper bound of H(X | X_hat), in bits per pixel.
        Arguments and errors as :meth:`distribution`.
        """
        return gaussian_bits(levels_of(x), *self.distribution(x, x_hat))

    def _check(self, x: Tensor, x_hat: Tensor) -> None:
        height, width = x.shape[-2:]
        if x.shape != x_hat.shape:
            raise ValueError(f"x {tuple(x.shape)} and x_hat {tuple(x_hat.shape)} must have the same shape.")
        if height % self.multiple or width % self.multiple:
            raise ValueError(
                f"{type(self).__name__} takes images whose sides are multiples of {self.multiple} pixels, "
                f"not {width}x{height}; choose another crop size or pad."
            )


def levels_of(x: Tensor) -> Tensor:
    """[0, 1] -> the integers 0..255, in float32 or float64."""
    return (LAST_LEVEL * at_least_float32(x)).round()
