"""Effort: how long an encoder searches for better latents of the same decoder. Knows no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from glic_pyg.errors import BadArgument

__all__ = ["DESCENTS", "HIGHEST_EFFORT", "METRICS", "Descent", "Effort", "Metric", "Progress"]

Metric = Literal["psnr", "ms-ssim"]
METRICS: tuple[Metric, ...] = get_args(Metric)


@dataclass(frozen=True)
class Descent:
    """How long and how fast to search.

    Attributes:
        steps: of gradient descent a tile.
        rate: learning rate at the beginning, in steps of the quantizer.
        temperature: of the draws at the end.
        with_z: search z too.
        steps_a_graph: how many steps use the same graphs of g_s.
    """

    steps: int
    rate: float
    temperature: float = 0.3
    with_z: bool = False
    steps_a_graph: int = 10


@dataclass(frozen=True)
class Progress:
    """How far a search is.

    Attributes:
        step, steps: done, and in all.
        gain: bits and distortion, at the exchange rate of the search, saved so far, in bits.
    """

    step: int
    steps: int
    gain: float


DESCENTS = (
    Descent(3, 0.012),
    Descent(6, 0.012),
    Descent(10, 0.012),
    Descent(16, 0.012),
    Descent(22, 0.012),
    Descent(50, 0.012),
    Descent(100, 0.012),
    Descent(200, 0.01, with_z=True),
    Descent(500, 0.008, with_z=True),
)
"""What efforts 1, 2, ... mean."""

HIGHEST_EFFORT = len(DESCENTS)


@dataclass(frozen=True)
class Effort:
    """How much an encoder tries.

    Attributes:
        level: 0, not at all, to ``HIGHEST_EFFORT``.
        metric: what a search improves: PSNR or MS-SSIM.
        seed: of its chance; the same seed gives the same file.
        report: hears of every step, and says whether to go on; what was found until then counts.

    Raises:
        BadArgument: there is no such level or metric.
    """

    level: int = 0
    metric: Metric = "psnr"
    seed: int = 0
    report: Callable[[Progress], bool] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.level, bool) or self.level not in range(HIGHEST_EFFORT + 1):
            raise BadArgument(f"An effort is a whole number from 0 to {HIGHEST_EFFORT}, not {self.level!r}.")
        if self.metric not in METRICS:
            raise BadArgument(f"Effort improves 'psnr' or 'ms-ssim', not {self.metric!r}.")

    @property
    def descent(self) -> Descent | None:
        """What to search, if anything."""
        return DESCENTS[self.level - 1] if self.level else None
