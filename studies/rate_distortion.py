"""Points of rate and PSNR that a study measures, and the BD-rate between two lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glic_pyg.evaluation.bd_rate import Method, bd_rate
from glic_pyg.evaluation.curves import Curve, CurveError

__all__ = ["SEARCHED", "Point", "bd_percent"]

SEARCHED = ", effort "
"""Between the name of weights and a level of effort, in the name of a curve."""


class Point(NamedTuple):
    """Mean rate and PSNR of a run on a set, in bits per pixel and dB."""

    bpp: float
    psnr: float


def bd_percent(anchor: Sequence[Point], test: Sequence[Point], fit: Method = "akima") -> float | None:
    """BD-rate in percent; negative is better than the anchor.

    Args:
        anchor, test: in any order.
        fit: see :func:`glic_pyg.evaluation.bd_rate.bd_rate`.

    Returns:
        ``None`` if a curve is not increasing or the two do not overlap.
    """
    try:
        return bd_rate(_curve("anchor", anchor), _curve("test", test), method=fit).value
    except CurveError:
        return None


def _curve(name: str, points: Sequence[Point]) -> Curve:
    rates, qualities = zip(*sorted(points), strict=True)
    return Curve(name, rates, qualities, None, "study")
