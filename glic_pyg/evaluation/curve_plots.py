"""Rate-distortion curves as figures and as an interactive page (``curves_page.html``)."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from html import escape
from importlib.resources import files
from statistics import fmean
from typing import TYPE_CHECKING

from glic_pyg.evaluation.baselines.base import Baseline
from glic_pyg.evaluation.curves import METRICS, Curve, CurveError, Metric, check_same_images
from glic_pyg.metrics import bpp, finite_mean, pixel_psnr
from glic_pyg.plotting import encode_figure, styled_figure
from glic_pyg.types import Pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "AXIS_TITLES",
    "baseline_curve",
    "curves_figure",
    "curves_page",
    "draw_rate_point",
    "rate_point_figure",
    "with_metric",
]

AXIS_TITLES: dict[Metric, str] = {"psnr": "PSNR, dB", "ms-ssim": "MS-SSIM, dB of the mean"}
_STYLES = ("o-", "s--", "^:", "D-.")
_THIN = ("--", ":", "-.", "^--", "s:", "D-.")
_COLOURS = 8  # of the package's style
_COLOUR_OF = {"JPEG": "#888888", "WebP": "#0072B2"}
_OURS = "#D55E00"


def curves_figure(
    curves: Sequence[Curve],
    metric: Metric,
    title: str,
    *,
    beside: Sequence[Curve] = (),
    right: float | None = None,
    kind: str = "png",
) -> bytes:
    """Draw all curves that have points by the metric, with a legend in the order of the curves.

    Args:
        curves: at least one.
        metric: the vertical axis, in dB.
        title: above the axes.
        beside: more curves, drawn thin and dashed, such as published ones beside measured ones.
        right: bits per pixel where the figure ends; by default a tenth beyond the first curve.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.

    Returns:
        The bytes of the image file.

    Raises:
        CurveError: no curve has a point by the metric, or curves are of different images.
    """
    check_same_images((*curves, *beside))
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


def curves_page(curves: Sequence[Curve], title: str, *, shown: Collection[str] | None = None) -> str:
    """A self-contained HTML page to point at curves, hide them, and switch the metric.

    Curves without a point are left out.

    Args:
        curves: at least one; the page opens on the rates that half of them cover.
        title: of the page.
        shown: names of the curves that the page opens with, the others being a click away; all by default.

    Raises:
        CurveError: curves are of different images.
    """
    check_same_images(curves)
    template = (files("glic_pyg") / "evaluation" / "curves_page.html").read_text(encoding="utf-8")
    data = {
        "axes": AXIS_TITLES,
        "curves": [
            {
                "name": curve.name,
                "source": curve.source,
                "hidden": shown is not None and curve.name not in shown,
                **{
                    metric: list(zip(*_points(known, metric), strict=True))
                    for metric in METRICS
                    for known in with_metric([curve], metric)
                },
            }
            for curve in with_metric(curves, "psnr")
        ],
    }
    # "<" cannot end the script that holds the data.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return template.replace("{{title}}", escape(title)).replace("{{data}}", text)


def with_metric(curves: Sequence[Curve], metric: Metric) -> list[Curve]:
    """The curves that were measured by the metric, without lossless points and without empty curves."""
    measured = [curve for curve in curves if metric == "psnr" or curve.ms_ssim is not None]
    return [finite for curve in measured if (finite := curve.finite(metric)).bpp]


def _points(curve: Curve, metric: Metric, right: float = math.inf) -> tuple[list[float], list[float]]:
    """Rates up to ``right``, and their decibels."""
    points = [p for p in zip(curve.bpp, curve.decibels(metric), strict=True) if p[0] <= right]
    return [x for x, _ in points], [y for _, y in points]


def baseline_curve(images: Sequence[Pixels], codec: Baseline, settings: Sequence[int] = ()) -> Curve:
    """Mean rate and PSNR of a baseline over images; infinite PSNR where no image has an error.

    Args:
        images: uint8 (H, W, 3) or (H, W).
        codec: the baseline.
        settings: its rate sweep by default.
    """
    points = []
    for setting in settings or codec.sweep:
        files = [codec.encode(image, setting) for image in images]
        rates = [bpp(len(f), image.shape[1], image.shape[0]) for f, image in zip(files, images, strict=True)]
        psnr, _ = finite_mean(
            pixel_psnr(codec.decode(f, image.shape), image) for f, image in zip(files, images, strict=True)
        )
        points.append((fmean(rates), math.inf if psnr is None else psnr))
    sizes, qualities = zip(*sorted(points), strict=True)
    return Curve(codec.title, sizes, qualities, None, "measured here")


def draw_rate_point(axes: Axes, curves: Sequence[Curve], rate: float, psnr: float) -> None:
    """Draw curves of baselines, each labelled at its end, and our one point; lossless points are left out.

    Args:
        axes: to draw on; points of curves far to the right of ours are cut off.
        curves: of baselines.
        rate, psnr: our point, in bits per pixel and dB.
    """
    right = 2.2 * rate
    for curve in with_metric(curves, "psnr"):
        rates, decibels = _points(curve, "psnr", right)
        if rates:
            colour, end = _COLOUR_OF.get(curve.name), (rates[-1], decibels[-1])
            axes.plot(rates, decibels, "o-", color=colour, mec="white")
            axes.annotate(
                curve.name, end, (6, 0), textcoords="offset points", color=colour, weight="bold", va="center"
            )
    if math.isfinite(psnr):
        axes.plot(rate, psnr, "*", color=_OURS, markersize=17, mec="white", zorder=5)
        axes.annotate(
            "GLIC", (rate, psnr), (0, 11), textcoords="offset points", color=_OURS, weight="bold", ha="center"
        )
    axes.set(xlim=(0, right * 1.12), xlabel="bits per pixel", ylabel="PSNR, dB")
    axes.margins(y=0.12)


def rate_point_figure(
    curves: Sequence[Curve], rate: float, psnr: float, title: str, *, kind: str = "png"
) -> bytes:
    """:func:`draw_rate_point` as the bytes of an image file, ``"png"``, ``"svg"`` or ``"pdf"``."""
    with styled_figure(5.2, 3.8) as figure:
        axes = figure.add_subplot()
        axes.set_title(title)
        draw_rate_point(axes, curves, rate, psnr)
        return encode_figure(figure, kind)
