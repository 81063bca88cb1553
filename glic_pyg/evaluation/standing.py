"""How one codec stands against the others that were measured with it: over a set, and picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from glic_pyg.evaluation.bjontegaard_delta import Delta, bd_psnr, bd_rate
from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.curve import Curve, CurveError, Metric
from glic_pyg.evaluation.measured_curves import curves_of
from glic_pyg.evaluation.summary import comparable, means

__all__ = ["Standing", "delta_or_none", "mean_curves", "picture_curves", "standings"]


@dataclass(frozen=True)
class Standing:
    """One codec against another. Every delta is ``None`` where the curves share nothing.

    Attributes:
        other: the other codec, as people call it.
        rate: what ours spends beyond it at equal PSNR, from the curves of means.
        rate_by_similarity: the same at equal MS-SSIM.
        gain: what ours gains over it at equal rate, in dB.
        of_pictures: by picture: what ours spends beyond it at equal PSNR.
        gains: by picture: dB at equal rate. Where ours has one point only, it is at its rate. Where the other
            codec needs fewer bytes at its best than ours spends, or spends more at its worst, it is the
            distance of these two files: ours loses, or gains, at least as much.
    """

    other: str
    rate: Delta | None
    rate_by_similarity: Delta | None
    gain: Delta | None
    of_pictures: Mapping[str, Delta | None]
    gains: Mapping[str, float | None]

    @property
    def known_gains(self) -> list[float]:
        """The gains that there are."""
        return [gain for gain in self.gains.values() if gain is not None]

    @property
    def won(self) -> int:
        """Number of pictures that look better in our file of as many bytes."""
        return sum(gain > 0 for gain in self.known_gains)


def standings(comparisons: Sequence[Comparison]) -> list[Standing]:
    """The codec that was measured first against each of the others, in their order."""
    ours, *others = mean_curves(comparisons)
    singles = {c.image: picture_curves(c) for c in comparisons}
    return [
        Standing(
            theirs.name,
            delta_or_none(bd_rate, theirs, ours),
            delta_or_none(bd_rate, theirs, ours, "ms-ssim"),
            delta_or_none(bd_psnr, theirs, ours),
            {image: delta_or_none(bd_rate, curves[place], curves[0]) for image, curves in singles.items()},
            {image: _gain(curves[place], curves[0]) for image, curves in singles.items()},
        )
        for place, theirs in enumerate(others, start=1)
    ]


def mean_curves(comparisons: Sequence[Comparison], source: str = "measured here") -> list[Curve]:
    """Curves of the means over comparable pictures, a codec each, in the order of measurement."""
    points = [(m.codec, m.bpp, m.psnr, m.ms_ssim) for m in means(comparable(comparisons))]
    return curves_of(points, source)


def picture_curves(comparison: Comparison) -> list[Curve]:
    """Curves of one picture."""
    points = [(m.codec, m.bpp, m.quality.psnr, m.quality.ms_ssim) for m in comparison.codecs]
    return curves_of(points, comparison.image)


def delta_or_none(
    delta: Callable[..., Delta], anchor: Curve, test: Curve, metric: Metric = "psnr"
) -> Delta | None:
    """A delta between the fronts of two curves; ``None`` where they share nothing or lack the metric."""
    try:
        return delta(anchor.front(metric), test.front(metric), metric=metric)
    except CurveError:
        return None


def _gain(theirs: Curve, ours: Curve) -> float | None:
    """Decibels at equal rate on one picture; ``None`` if one of the codecs has no file with an error."""
    if len(ours.bpp) > 1 and (found := delta_or_none(bd_psnr, theirs, ours)):
        return found.value
    theirs = theirs.front()
    if not ours.bpp or not theirs.bpp:
        return None
    place = 0 if ours.bpp[0] > theirs.bpp[0] else -1
    bpp, psnr = ours.bpp[place], ours.psnr[place]
    at_ours = theirs.psnr_at(bpp)
    if at_ours is None:
        at_ours = theirs.psnr[-1 if bpp > theirs.bpp[-1] else 0]
        if (psnr - at_ours > 0) == (bpp > theirs.bpp[-1]):
            return None  # who spends more is better: that says nothing
    return psnr - at_ours
