"""Rate-distortion curves as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from glic_pyg.evaluation.curve import Curve, CurveError, Metric
from glic_pyg.plotting import encode_figure, styled_figure

__all__ = ["AXIS_TITLES", "curves_figure", "with_metric"]

AXIS_TITLES: dict[Metric, str] = {"psnr": "PSNR, dB", "ms-ssim": "MS-SSIM, dB of the mean"}
_STYLES = ("o-", "s--", "^:", "D-.")
_THIN = ("--", ":", "-.", "^--", "s:", "D-.")
_COLOURS = 8  # of the package's style


def curves_figure(
    curves: Sequence[Curve],
    metric: Metric,
    title: str,
    *,
    beside: Sequence[Curve] = (),
    right: float | None = None,
    kind: str = "png",
) -> bytes:
    """All curves that have points by the metric, with a legend in the order of the curves.

    Args:
        curves: at least one.
        metric: the vertical axis, in dB.
        title: above the axes.
        beside: more curves, drawn thin and dashed, such as published ones beside measured ones.
        right: bits a pixel where the figure ends; by default where the first curve does, and a tenth more.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.

    Returns:
        The bytes of the picture file.

    Raises:
        CurveError: no curve has a point by the metric.
    """
    shown, others = with_metric(curves, metric), with_metric(beside, metric)
    if not shown:
        raise CurveError(f"No curve has a point by {metric}, so there is nothing to draw.")
    right = right or 1.1 * max(shown[0].bpp)
    with styled_figure(7.2, 4.6) as figure:
        axes = figure.add_subplot()
        for number, curve in enumerate(shown):
            marks = _STYLES[number // _COLOURS % len(_STYLES)]
            order = len(shown) - number  # the first lies on top
            points = _points(curve, metric, right)
            axes.plot(*points, marks, label=curve.name, mec="white", ms=5, zorder=2 + order / 100)
        for number, curve in enumerate(others):
            points = _points(curve, metric, right)
            axes.plot(*points, _THIN[number % len(_THIN)], color="#666666", lw=1, ms=3, label=curve.name)
        axes.set(xlim=(0, right), xlabel="bits per pixel", ylabel=AXIS_TITLES[metric], title=title)
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
        return encode_figure(figure, kind)


def _points(curve: Curve, metric: Metric, right: float) -> tuple[list[float], list[float]]:
    """Rates and decibels up to a rate."""
    points = [p for p in zip(curve.bpp, curve.decibels(metric), strict=True) if p[0] <= right]
    return [x for x, _ in points], [y for _, y in points]


def with_metric(curves: Sequence[Curve], metric: Metric) -> list[Curve]:
    """Those curves whose codec was measured with the metric, without points that have no error by it."""
    measured = [curve for curve in curves if metric == "psnr" or curve.ms_ssim is not None]
    return [finite for curve in measured if (finite := curve.finite(metric)).bpp]
