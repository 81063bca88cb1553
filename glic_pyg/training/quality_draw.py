"""At which quality a variable-rate model codes each sample of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from glic_pyg.models.gain import BEST_QUALITY
from glic_pyg.training.step_seed import step_seed

__all__ = ["draw_qualities"]

_QUALITY = 3  # keeps this draw apart from those of noise and crops


def draw_qualities(seed: int, step: int, places: Sequence[int], batch_size: int) -> Tensor:
    """One quality a sample, uniform over the samples of the same place and spread evenly over a batch.

    The range is divided into as many parts as the batch has samples, each of which falls into one of them.
    Rates differ so much that with independent draws they would be most of the gradient's noise.

    Args:
        seed: the run's seed.
        step: finished steps.
        places: of these samples in the whole batch, over all processes.
        batch_size: of the whole batch.

    Returns:
        Qualities from 0 to 100, float32, one for each of ``places``; a function of the arguments alone.
    """
    shares = [np.random.default_rng(step_seed(seed, step, place, _QUALITY)).random() for place in places]
    qualities = [
        BEST_QUALITY * (place + share) / batch_size for place, share in zip(places, shares, strict=True)
    ]
    return torch.tensor(qualities, dtype=torch.float32)
