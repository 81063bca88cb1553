"""Rate-distortion curves as one self-contained interactive HTML page (``curves_page.html``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from glic_pyg.evaluation.curve import METRICS, Curve
from glic_pyg.evaluation.curves_figure import AXIS_TITLES, with_metric

__all__ = ["curves_page"]


def curves_page(curves: Sequence[Curve], title: str) -> str:
    """A page that loads nothing: curves to point at, to hide, and to see by either metric.

    Curves without a point are left out.

    Args:
        curves: at least one; the page opens on the rates that half of them cover.
        title: of the page.
    """
    template = (files("glic_pyg") / "evaluation" / "curves_page.html").read_text(encoding="utf-8")
    data = {
        "axes": AXIS_TITLES,
        "curves": [
            {"name": curve.name, "source": curve.source, **_points(curve)}
            for curve in with_metric(curves, "psnr")
        ],
    }
    # "<" cannot end the script that the data stands in.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return template.replace("{{title}}", escape(title)).replace("{{data}}", text)


def _points(curve: Curve) -> dict[str, list[tuple[float, float]]]:
    """Rates and decibels by each metric that the curve has."""
    return {
        metric: list(zip(known.bpp, known.decibels(metric), strict=True))
        for metric in METRICS
        for known in with_metric([curve], metric)
    }
