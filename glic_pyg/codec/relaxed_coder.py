r"""An entropy coder for gradient descent on latents: it draws instead of rounding, and counts bits.

Stochastic Gumbel annealing (Yang, Bamler and Mandt 2020, arXiv 2006.04240): a residual between two integers,
:math:`k + v` with :math:`0 \le v \le 1`, becomes either of them by chance, the nearer one more often. The
draw is relaxed, so that its gradient reaches v, and it hardens as the temperature falls. With the logits that
SGA+ (arXiv 2401.17789) calls sigmoid scaled, choice and relaxation are one line:

.. math::
    k + \sigma\left(\frac{1}{\tau} \left(\frac{a}{\tau} \ln \frac{v}{1 - v} + \ell\right)\right),
    \qquad \ell \sim \mathrm{Logistic}(0, 1)

The context networks read what was drawn, and its likelihoods are taken: the walk, g_s and the rate see one
and the same sample.
"""

from __future__ import annotations

import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor

from glic_pyg.codec.coders import factorized_bits, gaussian_bits

__all__ = ["RelaxedCoder"]

_STEEPNESS = 4 / 3
"""a in the formula: the value that SGA+ found best."""

_INSIDE = 1e-4
"""Least distance of v from 0 and 1, where the logit is infinite."""


class RelaxedCoder:
    """An :class:`~glic_pyg.models.base.EntropyCoder` that returns float32 samples with gradients.

    Args:
        temperature: of the draws, above 0; ``None`` rounds instead. What asks for no gradient is rounded.
        generator: where the chance comes from, on the device of the latents.
        z: ``(1, C, h, w)``, coded in place of the z that the walk computes from y; ``None`` codes that one.

    Attributes:
        bits: what was coded would take so many, a scalar.
        z: what was coded as z, before rounding.
    """

    def __init__(self, temperature: float | None, generator: torch.Generator, z: Tensor | None) -> None:
        self._temperature, self._generator, self.z = temperature, generator, z
        self.bits = torch.zeros((), dtype=torch.float64, device=generator.device)

    def factorized(
        self, bottleneck: EntropyBottleneck, shape: tuple[int, ...], values: Tensor | None
    ) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`."""
        self.z = values if self.z is None else self.z
        assert self.z is not None
        medians = bottleneck.quantiles[:, :, 1:2].detach()
        steps = self._integers(self.z - medians)
        self.bits = self.bits + factorized_bits(bottleneck, steps + medians)
        return steps + medians

    def gaussian(self, means: Tensor, scales: Tensor, values: Tensor | None) -> Tensor:
        """See :class:`~glic_pyg.models.base.EntropyCoder`."""
        assert values is not None
        steps = self._integers(values - means)
        self.bits = self.bits + gaussian_bits(steps, scales)
        return means + steps

    def lattice(self, values: Tensor) -> Tensor:
        """The values as they are: a sample has no lattice."""
        return values

    def _integers(self, residual: Tensor) -> Tensor:
        """Draw one of the two integers around each value, as far as the temperature allows."""
        if self._temperature is None or not residual.requires_grad:
            return residual.round()
        low = residual.floor().detach()
        part = (residual - low).clamp(_INSIDE, 1 - _INSIDE)
        chance = torch.empty_like(residual, requires_grad=False)
        chance.uniform_(generator=self._generator).clamp_(1e-6, 1 - 1e-6)
        preference = part.logit() * (_STEEPNESS / self._temperature)
        return low + ((preference + chance.logit_()) / self._temperature).sigmoid()
