"""Finding the quality at which a measure that rises with it, such as the size of a file, is as wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from glic_pyg.codec.goal import file_quality
from glic_pyg.codec.header import HIGHEST_QUALITY, QUALITY_STEPS

__all__ = ["MAX_TRIES", "Try", "Window", "search"]

T = TypeVar("T")

MAX_TRIES = 16
_INTERPOLATED = 8
_STEP = 1 / QUALITY_STEPS


@dataclass(frozen=True)
class Window:
    """Where a measure shall come to lie.

    Attributes:
        least, most: its edges, both allowed.
        promise: the edge that is not crossed even where no quality hits the window.
        slope: by how much the measure usually rises with a step of 1 in quality, for the first guess.
    """

    least: float
    most: float
    promise: Literal["least", "most"]
    slope: float

    @property
    def aim(self) -> float:
        """The middle."""
        return (self.least + self.most) / 2

    def holds(self, measure: float) -> bool:
        """Whether the measure lies inside."""
        return self.least <= measure <= self.most


@dataclass(frozen=True)
class Try(Generic[T]):
    """One quality, what was measured there, and what was made on the way."""

    quality: float
    measure: float
    result: T


def search(attempt: Callable[[float], tuple[float, T]], window: Window) -> Try[T]:
    """Try qualities until the measure lies in the window.

    The first guess is the middle, the second follows the window's slope, the next ones the line through two
    tries (false position); where eight of them did not do, which is when the measure moves in jumps, the
    interval is halved. At most ``MAX_TRIES``.

    Args:
        attempt: quality to (measure, result).
        window: what is wanted.

    Returns:
        A try inside the window if one was found. Else quality 0 or 100, if even that is too much or too
        little; or the try nearest to the window on its promised side.
    """
    tries: list[Try[T]] = []
    low: Try[T] | None = None
    high: Try[T] | None = None
    quality: float | None = file_quality(HIGHEST_QUALITY / 2)
    while quality is not None and len(tries) < MAX_TRIES:
        last = Try(quality, *attempt(quality))
        tries.append(last)
        low, high = (last, high) if last.measure < window.aim else (low, last)
        even_the_end = (low is None and quality == 0) or (high is None and quality == HIGHEST_QUALITY)
        if window.holds(last.measure) or even_the_end:
            return last
        quality = _between(low, high, window, len(tries)) if low and high else _beyond(tries, window)
    if low is None or high is None:
        return tries[-1]
    return low if window.promise == "most" else high


def _beyond(tries: list[Try[T]], window: Window) -> float:
    """All tries lie on one side: go on along the line through the last two."""
    last, slope = tries[-1], window.slope
    if len(tries) > 1:
        rise = (last.measure - tries[-2].measure) / (last.quality - tries[-2].quality)
        slope = max(rise, window.slope / 4)
    wanted = (window.aim - last.measure) / slope
    step = max(_STEP, wanted) if wanted > 0 else min(-_STEP, wanted)
    return file_quality(min(max(last.quality + step, 0.0), HIGHEST_QUALITY))


def _between(low: Try[T], high: Try[T], window: Window, count: int) -> float | None:
    """A quality between the two, or ``None`` if there is none."""
    if high.quality - low.quality < 1.5 * _STEP:
        return None
    share = 0.5
    if count < _INTERPOLATED:
        share = (window.aim - low.measure) / (high.measure - low.measure)
    quality = low.quality + share * (high.quality - low.quality)
    return file_quality(min(max(quality, low.quality + _STEP), high.quality - _STEP))
