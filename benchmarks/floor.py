"""The floor: how fast this machine multiplies plain matrices, here and now.

Machines are shared, and their speed changes from minute to minute. So the floor is taken around each run that
is set against it, as a mean over some time as the run is, and of several runs the one of the median multiple
is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

__all__ = ["Paced", "Pacer", "float32_rate", "median_run"]

_SIDE = 2048
_SECONDS = 0.5


def float32_rate() -> float:
    """Floating-point operations a second of 2048 x 2048 float32 matrix products, over half a second."""
    left, right, out = (torch.rand(_SIDE, _SIDE) for _ in range(3))
    torch.mm(left, right, out=out)
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < _SECONDS:
        torch.mm(left, right, out=out)
        count += 1
    return 2.0 * _SIDE**3 * count / elapsed


@dataclass(frozen=True)
class Paced:
    """A run and the floor around it.

    Attributes:
        seconds: of the run; ``whole`` and its parts.
        rate: float32 matrix product, operations a second, mean of just before and just after.
    """

    seconds: dict[str, float]
    rate: float


class Pacer:
    """Measures the floor between runs: each run has the one before it and the one after it."""

    def __init__(self, rate: Callable[[], float] = float32_rate) -> None:
        self._measure = rate
        self._before = self._measure()

    def after(self, seconds: dict[str, float]) -> Paced:
        """The run that has just ended."""
        before, self._before = self._before, self._measure()
        return Paced(seconds, (before + self._before) / 2)


def median_run(runs: Sequence[Paced]) -> Paced:
    """The run whose whole is the median multiple of its floor; of an even number the lower."""
    return sorted(runs, key=lambda run: run.seconds["whole"] * run.rate)[(len(runs) - 1) // 2]
