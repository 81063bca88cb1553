"""The floor of a time: how fast this machine multiplies plain matrices, here and now.

Machines are shared and their speed varies from minute to minute. So the rate of matrix products is measured
just before and after each run, and of several runs the one with the median multiple of the floor is reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

__all__ = ["RateMeter", "TimedRun", "float32_rate", "median_run"]

_SIDE = 2048
_SECONDS = 0.5


def float32_rate() -> float:
    """Floating-point operations per second of 2048 x 2048 float32 matrix products, over half a second."""
    left, right, out = (torch.rand(_SIDE, _SIDE) for _ in range(3))
    torch.mm(left, right, out=out)
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < _SECONDS:
        torch.mm(left, right, out=out)
        count += 1
    return 2.0 * _SIDE**3 * count / elapsed


@dataclass(frozen=True)
class TimedRun:
    """A run and the rate of matrix products around it.

    Attributes:
        seconds: of ``"whole"`` and of its parts.
        rate: float32 operations per second, mean of just before and just after.
    """

    seconds: dict[str, float]
    rate: float


class RateMeter:
    """Measures the rate between runs, so that each run has one before and one after it."""

    def __init__(self, rate: Callable[[], float] = float32_rate) -> None:
        self._measure = rate
        self._before = self._measure()

    def after(self, seconds: dict[str, float]) -> TimedRun:
        """The run that has just ended, with the rate around it."""
        before, self._before = self._before, self._measure()
        return TimedRun(seconds, (before + self._before) / 2)


def median_run(runs: Sequence[TimedRun]) -> TimedRun:
    """The run with the median multiple of its floor; the lower one of an even number."""
    return sorted(runs, key=lambda run: run.seconds["whole"] * run.rate)[(len(runs) - 1) // 2]
