"""Rate against distortion: curves of JPEG and WebP around one point of ours, and their picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glic_pyg.evaluation.baselines.base import Baseline
from glic_pyg.metrics import bpp, finite_mean, pixel_psnr
from glic_pyg.plotting import encode_figure, styled_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RatePoint", "classical_curve", "draw_curves", "rate_figure"]

Pixels = NDArray[np.uint8]
_COLOURS = {"JPEG": "#888888", "WebP": "#0072B2"}
_OURS = "#D55E00"


class RatePoint(NamedTuple):
    """Bits per pixel and PSNR in dB, each a mean over pictures; infinite if none of them has an error."""

    bpp: float
    psnr: float


def classical_curve(
    pictures: Sequence[Pixels], codec: Baseline, settings: Sequence[int] = ()
) -> list[RatePoint]:
    """Mean rate and PSNR of a classical codec at each setting.

    Args:
        pictures: uint8 (H, W, 3) or (H, W).
        codec: whose curve it is.
        settings: in ascending order of rate; its ladder by default.
    """
    curve = []
    for setting in settings or codec.sweep:
        points = [_point(picture, codec, setting) for picture in pictures]
        psnr, _ = finite_mean(p.psnr for p in points)
        curve.append(RatePoint(fmean(p.bpp for p in points), math.inf if psnr is None else psnr))
    return curve


def draw_curves(axes: Axes, curves: Mapping[str, Sequence[RatePoint]], ours: RatePoint) -> None:
    """Draw curves, each with its name at its end, and our point; what has no error has no place.

    Args:
        axes: where; what the curves have far to the right of our point is cut off.
        curves: by name, points in ascending order of rate.
        ours: one point.
    """
    right = 2.2 * ours.bpp
    shown = {
        name: [p for p in curve if p.bpp <= right and math.isfinite(p.psnr)] for name, curve in curves.items()
    }
    for name, curve in shown.items():
        if curve:
            colour = _COLOURS.get(name)
            axes.plot([p.bpp for p in curve], [p.psnr for p in curve], "o-", color=colour, mec="white")
            axes.annotate(
                name, curve[-1], (6, 0), textcoords="offset points", color=colour, weight="bold", va="center"
            )
    if math.isfinite(ours.psnr):
        axes.plot(*ours, "*", color=_OURS, markersize=17, mec="white", zorder=5)
        axes.annotate(
            "GLIC", ours, (0, 11), textcoords="offset points", color=_OURS, weight="bold", ha="center"
        )
    axes.set(xlim=(0, right * 1.12), xlabel="bits per pixel", ylabel="PSNR, dB")
    axes.margins(y=0.12)


def rate_figure(
    curves: Mapping[str, Sequence[RatePoint]], ours: RatePoint, title: str, *, kind: str = "png"
) -> bytes:
    """The same as a picture of its own.

    Args:
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.

    Returns:
        The bytes of the picture file.
    """
    with styled_figure(5.2, 3.8) as figure:
        axes = figure.add_subplot()
        axes.set_title(title)
        draw_curves(axes, curves, ours)
        return encode_figure(figure, kind)


def _point(original: Pixels, codec: Baseline, setting: int) -> RatePoint:
    height, width = original.shape[:2]
    data = codec.encode(original, setting)
    decoded = codec.decode(data, original.shape)
    return RatePoint(bpp(len(data), width, height), pixel_psnr(decoded, original))
