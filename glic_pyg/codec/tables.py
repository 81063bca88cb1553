"""Integer probability tables for the range coder.

A table assigns a whole number of parts of 2^24 to every symbol of [-radius, radius] and to one *escape*. Both
sides must build exactly the same integers, so the floats they come from are rounded to a grid far coarser
than the last bits in which two machines' ``exp`` or ``erfc`` may differ; :func:`tie_distance` measures how
far a table is from being rounded differently.
"""

from __future__ import annotations

import copy
import hashlib
import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import constriction
import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from compressai.entropy_models import EntropyBottleneck

__all__ = [
    "ESCAPE_PARTS",
    "GAUSSIAN_FINGERPRINT",
    "LEAST_SCALE",
    "LOG_SCALE_STEP",
    "PRECISION",
    "SCALE_LEVELS",
    "Table",
    "factorized_parts",
    "factorized_tables",
    "gaussian_fingerprint",
    "gaussian_parts",
    "gaussian_tables",
    "tie_distance",
]

PRECISION = 24
"""Probabilities are multiples of 2^-24, the resolution of the range coder."""

ESCAPE_PARTS = 1 << (PRECISION - 16)
"""Parts of the escape: with the 16 plain bits after it, 32 bits, about what a likelihood of 1e-9 costs."""

SCALE_LEVELS = 128
LEAST_SCALE = 0.11
_GREATEST_SCALE = 256.0
LOG_SCALE_STEP = math.log(_GREATEST_SCALE / LEAST_SCALE) / (SCALE_LEVELS - 1)
"""Natural log of the ratio of neighbouring scales; CompressAI's range, twice as many levels."""

GAUSSIAN_FINGERPRINT = "db0c59dbfce93b783208a65a89e57e631507d192aa2a2fc22908817de3eff42f"
"""What :func:`gaussian_fingerprint` must return, here and everywhere; another value means another format."""

_GAUSSIAN_GRID = 24
_FACTORIZED_GRID = 16
_SIGMAS = 8.0
_RADII = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_USUAL_REACH = 64
_OUTSIDE = 2.0 ** -(_FACTORIZED_GRID + 1)


@dataclass(frozen=True)
class Table:
    """One distribution as the range coder takes it.

    Attributes:
        radius: symbols -radius..radius have their own entry; the last entry is the escape.
        model: constriction's model over 2 * radius + 2 entries.
    """

    radius: int
    model: Any

    @staticmethod
    def from_parts(parts: NDArray[np.int64]) -> Table:
        """The table of integers as :func:`integer_parts` makes them."""
        # constriction gives each entry one part and shares out the rest in proportion; handed weights
        # that sum to that rest, it has nothing left to round.
        model = constriction.stream.model.Categorical(
            (parts - 1).astype(np.float64), perfect=False, lazy=False
        )
        return Table((len(parts) - 2) // 2, model)


def integer_parts(probabilities: NDArray[np.float64], grid: int) -> NDArray[np.int64]:
    """Turn probabilities into integers of at least 1 that sum to 2^24, escape last.

    Args:
        probabilities: float64 (2 * radius + 1,), sum at most 1.
        grid: they are rounded to multiples of 2^-grid first.

    Returns:
        int64 (2 * radius + 2,). The rounded probabilities share, in integer arithmetic, what is left after
        the escape and one part for each entry; the likeliest takes up the remainder.
    """
    weights = np.rint(probabilities * (1 << grid)).astype(np.int64)
    free = (1 << PRECISION) - ESCAPE_PARTS - len(weights)
    total = int(weights.sum())
    parts = 1 + (2 * weights * free + total) // (2 * total)
    parts[int(np.argmax(parts))] += free + len(weights) - int(parts.sum())
    return np.append(parts, ESCAPE_PARTS)


def tie_distance(probabilities: NDArray[np.float64], grid: int) -> float:
    """Return how far, in probability, the nearest entry is from being rounded the other way."""
    scaled = probabilities * (1 << grid)
    return float(np.abs(scaled - np.floor(scaled) - 0.5).min() / (1 << grid))


def gaussian_probabilities(scale: float) -> NDArray[np.float64]:
    """Masses of the bins k - 1/2 .. k + 1/2 of a centred Gaussian, k = -radius..radius."""
    radius = max(2, math.ceil(_SIGMAS * scale))
    tail = [math.erfc((k - 0.5) / (scale * math.sqrt(2.0))) / 2 for k in range(1, radius + 2)]
    right = np.array([tail[k] - tail[k + 1] for k in range(radius)])
    return np.concatenate([right[::-1], [1.0 - 2.0 * tail[0]], right])


def gaussian_parts(level: int) -> NDArray[np.int64]:
    """Integer table of scale ``LEAST_SCALE * exp(level * LOG_SCALE_STEP)``."""
    scale = LEAST_SCALE * math.exp(level * LOG_SCALE_STEP)
    return integer_parts(gaussian_probabilities(scale), _GAUSSIAN_GRID)


@cache
def gaussian_tables() -> tuple[Table, ...]:
    """The tables of all scales, built once per process."""
    return tuple(Table.from_parts(gaussian_parts(level)) for level in range(SCALE_LEVELS))


def gaussian_fingerprint() -> str:
    """SHA-256 of all Gaussian tables; the same on every machine that can read our files."""
    digest = hashlib.sha256()
    for level in range(SCALE_LEVELS):
        digest.update(gaussian_parts(level).astype("<u4").tobytes())
    return digest.hexdigest()


def factorized_probabilities(bottleneck: EntropyBottleneck) -> list[NDArray[np.float64]]:
    """Masses of the integer bins around each channel's median, in float64 on the CPU.

    Args:
        bottleneck: CompressAI's factorized prior; it is copied, not changed.

    Returns:
        One float64 array (2 * radius + 1,) per channel, radius the least power of two that leaves less than
        2^-17 outside.
    """
    prior = copy.deepcopy(bottleneck).cpu().double().eval()
    for reach in (_USUAL_REACH, _RADII[-1]):
        below = _cumulative(prior, reach)
        if max(below[:, 0].max(), 1.0 - below[:, -1].min()) < _OUTSIDE:
            break
    return [_trim(row, reach) for row in below]


def _cumulative(prior: EntropyBottleneck, reach: int) -> NDArray[np.float64]:
    """Mass below k - 1/2 around the median of each channel, k = -reach..reach + 1: (C, 2 * reach + 2)."""
    edges = torch.arange(-reach, reach + 2, dtype=torch.float64, device="cpu") - 0.5
    with torch.inference_mode():
        # Private, for want of a public way: its forward pass gives masses of bins, and none of the tails.
        logits = prior._logits_cumulative(prior.quantiles[:, :, 1:2] + edges, stop_gradient=True)
        below: NDArray[np.float64] = torch.sigmoid(logits)[:, 0].numpy()
    if not np.isfinite(below).all():
        raise ValueError("The entropy bottleneck's parameters are not finite; the weights are damaged.")
    return below


def _trim(below: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Cut one channel's cumulative masses to the radius it needs and return the bins' masses."""
    for radius in _RADII:
        first, last = reach - radius, reach + radius + 1
        if radius == reach or (below[first] < _OUTSIDE and 1.0 - below[last] < _OUTSIDE):
            break
    return np.diff(below[first : last + 1])


def factorized_parts(bottleneck: EntropyBottleneck) -> list[NDArray[np.int64]]:
    """Integer tables of all channels of a factorized prior."""
    return [integer_parts(row, _FACTORIZED_GRID) for row in factorized_probabilities(bottleneck)]


def factorized_tables(bottleneck: EntropyBottleneck) -> tuple[Table, ...]:
    """The tables of all channels of a factorized prior."""
    return tuple(Table.from_parts(parts) for parts in factorized_parts(bottleneck))
