"""The quantiles of an entropy bottleneck, solved for instead of trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from compressai.entropy_models import EntropyBottleneck
from torch import Tensor, nn

WIDEST = 2.0**24
"""Quantiles are looked for on both sides up to here."""

HALVINGS = 80
"""They leave an interval of 2^-55, far below the rounding of float32."""


@torch.no_grad()
def solve_quantiles(model: nn.Module) -> None:
    r"""Set the quantiles of every entropy bottleneck to the zeros of their auxiliary loss.

    The auxiliary loss :math:`\sum |\ell(q) - t|` pulls the three quantiles q of each channel to where the
    logits :math:`\ell` of the cumulative reach the targets t (both tails and the median). The cumulative
    rises strictly, so bisection in float64 finds them exactly, up to the last rounding to float32; Adam, the
    published way, follows the moving cumulative from behind.

    Args:
        model: holds any number of bottlenecks; changed in place.
    """
    for module in model.modules():
        if isinstance(module, EntropyBottleneck):
            module.quantiles.copy_(_solutions(module))


@contextmanager
def quantiles_solved(model: nn.Module) -> Iterator[None]:
    """Inside, the quantiles are solved; afterwards they are what they were, to the last bit."""
    bottlenecks = [module for module in model.modules() if isinstance(module, EntropyBottleneck)]
    before = [module.quantiles.detach().clone() for module in bottlenecks]
    solve_quantiles(model)
    try:
        yield
    finally:
        with torch.no_grad():
            for module, values in zip(bottlenecks, before, strict=True):
                module.quantiles.copy_(values)


def _solutions(bottleneck: EntropyBottleneck) -> Tensor:
    """``(channels, 1, 3)`` float64."""
    exact = copy.deepcopy(bottleneck).double()
    target = exact.target.expand_as(exact.quantiles)
    low, high = torch.full_like(target, -WIDEST), torch.full_like(target, WIDEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        # Private, for want of a public way: the auxiliary loss has its gradient, not its sign at a point.
        above = exact._logits_cumulative(middle, stop_gradient=True) > target
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return (low + high) / 2
