"""Rate control: what may be asked of a file, and the search for the quality that meets it. Knows no torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from glic_pyg.codec.header import HIGHEST_QUALITY, QUALITY_STEPS
from glic_pyg.errors import BadArgument, GlicError, OutOfReach

if TYPE_CHECKING:
    from glic_pyg.codec.results import Encoded

__all__ = [
    "DEFAULT_QUALITY",
    "HIGHEST_PSNR",
    "MAX_TRIALS",
    "Bracket",
    "RateTarget",
    "Trial",
    "bracket_of",
    "file_quality",
    "parse_target",
    "search_improved",
    "search_quality",
    "with_outcome",
]

T = TypeVar("T")
TargetKind = Literal["quality", "bytes", "bpp", "psnr"]

DEFAULT_QUALITY = 50.0
"""The middle of a model's rates, where nothing is asked."""

HIGHEST_PSNR = 100.0
"""What a lossless result counts as, in dB."""

MAX_TRIALS = 16

_INTERPOLATED = 8
_CORRECTIONS = 2
_STEP = 1 / QUALITY_STEPS
_SIZE_TOLERANCE = 0.02
_PSNR_TOLERANCE = 0.05
_USUAL_LOG_SIZE_SLOPE = math.log(12) / 100  # 0.1 to 1.2 bpp over all qualities
_USUAL_PSNR_SLOPE = 0.1
_NAMES = {"quality": "quality", "bytes": "target_bytes", "bpp": "target_bpp", "psnr": "target_psnr"}
_UNITS = {"quality": "quality {:g}", "bytes": "{:,.0f} bytes", "bpp": "{:.4g} bpp", "psnr": "{:.2f} dB"}


@dataclass(frozen=True)
class RateTarget:
    """A quality, file size or PSNR that an encoded file should have.

    Attributes:
        kind: ``"quality"``; or the size of the whole file in ``"bytes"`` or, ``"bpp"``, in bits per pixel; or
            ``"psnr"`` of the decoded 8-bit image, without alpha, in dB.
        value: a quality from 0 to 100, or more than 0 of the others.

    Raises:
        GlicError: the value is out of range.
    """

    kind: TargetKind
    value: float

    def __post_init__(self) -> None:
        if isinstance(self.value, bool | str | bytes) or not hasattr(self.value, "__float__"):
            raise BadArgument(f"A {_NAMES[self.kind]} is a number, not {self.value!r}.")
        object.__setattr__(self, "value", float(self.value))
        if self.kind == "quality" and not 0 <= self.value <= HIGHEST_QUALITY:
            raise GlicError(f"A quality is a number from 0 to {HIGHEST_QUALITY:g}, not {self.value:g}.")
        if self.kind != "quality" and not 0 < self.value < math.inf:
            raise GlicError(f"A target is a number above 0, not {self.text(self.value)}.")

    def text(self, value: float) -> str:
        """Format a value of this kind with its unit."""
        return _UNITS[self.kind].format(value)


def parse_target(
    *,
    quality: float | None = None,
    target_bytes: float | None = None,
    target_bpp: float | None = None,
    target_psnr: float | None = None,
) -> RateTarget | None:
    """Return the target among the four that is not ``None``, if any.

    Raises:
        GlicError: several are given, or the value is out of range.
    """
    given: dict[TargetKind, float | None] = {
        "quality": quality,
        "bytes": target_bytes,
        "bpp": target_bpp,
        "psnr": target_psnr,
    }
    targets = [RateTarget(kind, value) for kind, value in given.items() if value is not None]
    if len(targets) > 1:
        raise GlicError("Give one of quality, target_bytes, target_bpp and target_psnr, not several.")
    return targets[0] if targets else None


def file_quality(quality: float) -> float:
    """Round to the nearest quality that a file can state."""
    return round(quality * QUALITY_STEPS) / QUALITY_STEPS


@dataclass(frozen=True)
class Bracket:
    """Interval that a measure, increasing with the quality, must fall into.

    Attributes:
        least, most: its ends, both allowed.
        hard: the end that is not crossed even where no quality hits the interval.
        slope: by how much the measure usually rises with a step of 1 in quality, for the first guess.
    """

    least: float
    most: float
    hard: Literal["least", "most"]
    slope: float

    @property
    def centre(self) -> float:
        """The middle of the interval."""
        return (self.least + self.most) / 2

    def shifted(self, by: float) -> Bracket:
        """The same interval elsewhere."""
        return replace(self, least=self.least + by, most=self.most + by)

    def allows(self, measure: float) -> bool:
        """Whether the measure lies inside, or misses the interval on the harmless side."""
        return measure <= self.most if self.hard == "most" else measure >= self.least

    def holds(self, measure: float) -> bool:
        """Whether the measure lies inside."""
        return self.least <= measure <= self.most


@dataclass(frozen=True)
class Trial(Generic[T]):
    """One quality, the measure at it, and what was encoded to find that out."""

    quality: float
    measure: float
    result: T


def bracket_of(target: RateTarget, width: int, height: int) -> Bracket:
    """Tolerated interval of a target other than a quality: of the PSNR in dB, or the log of the file's bytes.

    Args:
        target: 98 to 100 % of a size, 0 to 0.05 dB above a PSNR are tolerated.
        width, height: of the image, in pixels.
    """
    if target.kind == "psnr":
        return Bracket(target.value, target.value + _PSNR_TOLERANCE, "least", _USUAL_PSNR_SLOPE)
    size = target.value if target.kind == "bytes" else target.value * width * height / 8
    return Bracket(math.log(size * (1 - _SIZE_TOLERANCE)), math.log(size), "most", _USUAL_LOG_SIZE_SLOPE)


def search_quality(attempt: Callable[[float], tuple[float, T]], bracket: Bracket) -> Trial[T]:
    """Find a quality at which the measure lies in the bracket.

    The first guess is the middle, the second follows the bracket's slope, the next ones the line through two
    trials (false position); if eight of them were not enough, as happens when the measure moves in jumps, the
    interval is halved. At most ``MAX_TRIALS``.

    Args:
        attempt: quality to (measure, result).
        bracket: where the measure must lie.

    Returns:
        A trial inside the bracket if one was found. Else quality 0 or 100, if even that is too much or too
        little; or the trial nearest to the bracket on the side of its hard end.
    """
    trials: list[Trial[T]] = []
    low: Trial[T] | None = None
    high: Trial[T] | None = None
    quality: float | None = file_quality(HIGHEST_QUALITY / 2)
    while quality is not None and len(trials) < MAX_TRIALS:
        last = Trial(quality, *attempt(quality))
        trials.append(last)
        low, high = (last, high) if last.measure < bracket.centre else (low, last)
        even_the_end = (low is None and quality == 0) or (high is None and quality == HIGHEST_QUALITY)
        if bracket.holds(last.measure) or even_the_end:
            return last
        quality = _between(low, high, bracket, len(trials)) if low and high else _beyond(trials, bracket)
    if low is None or high is None:
        return trials[-1]
    return low if bracket.hard == "most" else high


def search_improved(
    plain: Callable[[float], tuple[float, T]],
    improved: Callable[[float], tuple[float, T]],
    bracket: Bracket,
) -> Trial[T]:
    """Find the quality at which an improved result meets the bracket, where improving is what takes time.

    The quality is found with plain results, then corrected for what improving changes, up to twice.

    Args:
        plain, improved: quality to (measure, result).
        bracket: where the measure of the improved result must lie.

    Returns:
        An improved trial inside the bracket if one was found; else the best of those that miss it on the
        harmless side; else the plain one.
    """
    start = search_quality(plain, bracket)
    quality, allowed = start.quality, list[Trial[T]]()
    for _ in range(1 + _CORRECTIONS):
        last = Trial(quality, *improved(quality))
        if bracket.holds(last.measure):
            return last
        if bracket.allows(last.measure):
            allowed.append(last)
        aim = bracket.shifted(plain(quality)[0] - last.measure)
        quality = search_quality(plain, aim).quality
        if quality == last.quality:
            break
    return min(allowed, key=lambda trial: abs(trial.measure - bracket.centre), default=start)


def _beyond(trials: list[Trial[T]], bracket: Bracket) -> float:
    """Extrapolate the line through the last two trials: all lie on one side."""
    last, slope = trials[-1], bracket.slope
    if len(trials) > 1:
        rise = (last.measure - trials[-2].measure) / (last.quality - trials[-2].quality)
        slope = max(rise, bracket.slope / 4)
    wanted = (bracket.centre - last.measure) / slope
    step = max(_STEP, wanted) if wanted > 0 else min(-_STEP, wanted)
    return file_quality(min(max(last.quality + step, 0.0), HIGHEST_QUALITY))


def _between(low: Trial[T], high: Trial[T], bracket: Bracket, count: int) -> float | None:
    """Return a quality between the two, or ``None`` if there is none."""
    if high.quality - low.quality < 1.5 * _STEP:
        return None
    fraction = 0.5
    if count < _INTERPOLATED:
        fraction = (bracket.centre - low.measure) / (high.measure - low.measure)
    quality = low.quality + fraction * (high.quality - low.quality)
    return file_quality(min(max(quality, low.quality + _STEP), high.quality - _STEP))


def with_outcome(found: Trial[Encoded], bracket: Bracket, target: RateTarget) -> Encoded:
    """Return the file that a search found, with a note if it misses the target.

    Raises:
        OutOfReach: it is at the lowest or highest quality, and larger or worse than the target.
    """
    encoded = found.result
    if target.kind == "psnr":
        encoded = replace(encoded, psnr=found.measure if found.measure < HIGHEST_PSNR else math.inf)
    if bracket.holds(found.measure):
        return encoded
    wanted = target.text(target.value)
    got = target.text({"bytes": len(encoded.data), "bpp": encoded.bpp, "psnr": found.measure}[target.kind])
    too_much = found.measure > bracket.most
    end = "the lowest" if too_much else "the highest"
    at_the_end = found.quality == (0 if too_much else HIGHEST_QUALITY)
    if at_the_end and too_much == (target.kind == "psnr"):
        verb = "gives" if too_much else "needs only"
        note = f"Quality {found.quality:g}, {end}, {verb} {got}, not {wanted}."
    elif at_the_end:
        raise OutOfReach(
            f"This image cannot be coded at {wanted}: quality {found.quality:g}, {end}, gives {got}."
        )
    else:
        note = f"The nearest to {wanted} that was found is {got}."
    return replace(encoded, notes=(*encoded.notes, note))
