"""Higher rates for a trained variable-rate model, without more training."""

from __future__ import annotations

import math

import torch

from glic_pyg.models.base import Codec

__all__ = ["extend_rates"]


@torch.no_grad()
def extend_rates(model: Codec, lmbda: float) -> None:
    """Let the best quality of a trained model be that of a greater λ, without training.

    Gains go on from the last two levels the way they are interpolated between them, so that all that the
    model could do before it still does, at lower qualities.

    Args:
        model: a variable-rate model with its ``config``; changed in place.
        lmbda: λ of the new last level.

    Raises:
        ValueError: it is not above the last level's, or the model has one rate.
    """
    rates = model.rates
    if rates is None or lmbda <= rates.levels[-1]:
        best = "one rate only" if rates is None else f"rates up to a lmbda of {rates.levels[-1]:g}"
        raise ValueError(f"The model has {best}; extend a variable-rate model to more, not to {lmbda:g}.")
    before, last = rates.levels[-2:]
    position = math.log(lmbda / before) / math.log(last / before)
    for gains in (rates.log_gain, rates.log_inverse_gain):
        gains[-1] = torch.lerp(gains[-2], gains[-1], position)
    rates.levels = (*rates.levels[:-1], lmbda)
    model.config["levels"] = [*rates.levels]
