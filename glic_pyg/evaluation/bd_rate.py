r"""BD-rate and BD-PSNR: the mean distance between two rate-distortion curves where they overlap.

.. math::
    \mathrm{BD\text{-}rate} = 10^{\frac{1}{D_1 - D_0} \int_{D_0}^{D_1} \log_{10} (R / R_{anchor})\, dD} - 1

Bjøntegaard, VCEG-M33, 2001; interpolated with Akima splines as recommended by Herglotz et al. (arXiv
2202.12565), by their package ``bjontegaard``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from glic_pyg.evaluation.curves import Curve, CurveError, Metric, check_same_images

__all__ = ["METHODS", "Delta", "Method", "bd_psnr", "bd_rate", "delta_or_none"]

Method = Literal["akima", "cubic", "pchip"]
METHODS: tuple[Method, ...] = ("akima", "cubic", "pchip")
_LEAST_POINTS = {"akima": 2, "cubic": 4, "pchip": 2}


class Delta(NamedTuple):
    """A mean distance and the part of the curves that it covers.

    Attributes:
        value: percent of rate, or decibels.
        overlap: 0 to 1, the interval that both curves cover over the one that either covers; in decibels for
            a BD-rate, in log-rates for a BD-PSNR.
    """

    value: float
    overlap: float


def bd_rate(anchor: Curve, test: Curve, *, metric: Metric = "psnr", method: Method = "akima") -> Delta:
    """Rate that ``test`` spends beyond ``anchor`` at equal distortion, in percent; negative is better.

    Args:
        anchor, test: may have different numbers of points; lossless points are ignored.
        metric: distortion held equal.
        method: ``"akima"`` and ``"pchip"`` interpolate the points; ``"cubic"`` is Bjøntegaard's original, one
            polynomial of degree 3 fitted to them.

    Raises:
        CurveError: the curves are of different images, do not overlap, have too few points, are not
            increasing, or lack the metric.
    """
    anchor, test = anchor.finite(metric), test.finite(metric)
    overlap = _overlap(anchor, test, anchor.decibels(metric), test.decibels(metric), method)
    return Delta(_value("bd_rate", anchor, test, metric, method), overlap)


def bd_psnr(anchor: Curve, test: Curve, *, metric: Metric = "psnr", method: Method = "akima") -> Delta:
    """Decibels that ``test`` gains over ``anchor`` at equal rate; arguments as for :func:`bd_rate`."""
    anchor, test = anchor.finite(metric), test.finite(metric)
    overlap = _overlap(anchor, test, _log(anchor.bpp), _log(test.bpp), method)
    return Delta(_value("bd_psnr", anchor, test, metric, method), overlap)


def delta_or_none(
    delta: Callable[..., Delta], anchor: Curve, test: Curve, metric: Metric = "psnr"
) -> Delta | None:
    """A delta between the Pareto fronts of two curves; ``None`` if they do not overlap or lack the metric.

    Raises:
        CurveError: the curves are of different images.
    """
    check_same_images((anchor, test))
    try:
        return delta(anchor.front(metric), test.front(metric), metric=metric)
    except CurveError:
        return None


def _value(name: str, anchor: Curve, test: Curve, metric: Metric, method: Method) -> float:
    """A number of the package, without its warning of a small overlap, which is returned instead."""
    import bjontegaard  # here, as it imports matplotlib.pyplot

    curves = (anchor.bpp, anchor.decibels(metric), test.bpp, test.decibels(metric))
    delta = getattr(bjontegaard, name)
    return float(delta(*curves, method=method, require_matching_points=False, min_overlap=0))


def _overlap(
    anchor: Curve, test: Curve, of_anchor: Sequence[float], of_test: Sequence[float], method: Method
) -> float:
    """Share of the interval covered by either curve that both cover.

    Raises:
        CurveError: see :func:`bd_rate`.
    """
    check_same_images((anchor, test))
    for curve, values in ((anchor, of_anchor), (test, of_test)):
        if len(values) < _LEAST_POINTS[method]:
            raise CurveError(
                f"{curve.name} has {len(values)} points; {method} needs {_LEAST_POINTS[method]} or more."
            )
        if any(after <= before for before, after in pairwise(values)):
            raise CurveError(f"{curve.name} does not rise from point to point; leave the odd points out.")
    low, high = max(of_anchor[0], of_test[0]), min(of_anchor[-1], of_test[-1])
    if high <= low:
        raise CurveError(f"{anchor.name} and {test.name} share no interval; measure nearer qualities.")
    return (high - low) / (max(of_anchor[-1], of_test[-1]) - min(of_anchor[0], of_test[0]))


def _log(rates: Sequence[float]) -> list[float]:
    return [math.log10(rate) for rate in rates]
