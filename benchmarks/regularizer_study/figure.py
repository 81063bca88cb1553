"""The study's figure: curves, and BD-rates of every seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.regularizer_study.comparison import Curves
from benchmarks.regularizer_study.plan import Kind, Study
from glic_pyg.plotting import encode_figure, styled_figure

__all__ = ["study_figure"]

COLOURS = ("#56B4E9", "#E69F00", "#D55E00", "#CC79A7", "#009E73")
PLAIN = "#444444"
KINDS: tuple[tuple[Kind, str], ...] = (("regularized", "o"), ("control", "x"))


def study_figure(study: Study, curves: Curves, names: Sequence[str]) -> bytes:
    """A row a codec: curves on the first set, then BD-rates against plain training on all.

    Args:
        study: the settings.
        curves: of the finished runs.
        names: of the sets.

    Returns:
        A PNG file.
    """
    with styled_figure(9, 3.3 * len(curves.codecs)) as figure:
        rows = figure.subplots(len(curves.codecs), 2, squeeze=False, width_ratios=(2, 3))
        for (left, right), codec in zip(rows, curves.codecs, strict=True):
            _curves(left, study, curves, codec, names[0])
            _bd_rates(right, study, curves, codec, names)
        return encode_figure(figure)


def _curves(axes: Any, study: Study, curves: Curves, codec: str, name: str) -> None:
    lines: list[tuple[Kind, float, str, str]] = [("plain", 0.0, PLAIN, "-")]
    for alpha, colour in zip(study.alphas, COLOURS, strict=False):
        lines += [(kind, alpha, colour, marker) for kind, marker in KINDS]
    for kind, alpha, colour, style in lines:
        for seed in curves.seeds:
            curve = curves.curve(codec, kind, alpha, seed, name)
            if curve:
                axes.plot(*zip(*sorted(curve), strict=True), style, color=colour, mfc="none", ms=5, lw=1)
    axes.set(title=f"{codec}, {name}", xlabel="bits per pixel (estimated)", ylabel="PSNR, dB")


def _bd_rates(axes: Any, study: Study, curves: Curves, codec: str, names: Sequence[str]) -> None:
    step = 0.8 / (2 * len(study.alphas))
    for number, (alpha, colour) in enumerate(zip(study.alphas, COLOURS, strict=False)):
        for which, (kind, marker) in enumerate(KINDS):
            offset = (2 * number + which - len(study.alphas) + 0.5) * step
            label: str | None = f"{kind}, α = {alpha:g}"
            for place, name in enumerate(names):
                values = curves.bd(codec, alpha, name, kind).values
                axes.plot([place + offset] * len(values), values, marker, color=colour, ms=5, label=label)
                label = None
    axes.axhline(0, color=PLAIN, lw=0.8)
    axes.set(title="BD-rate against plain training, %", xticks=range(len(names)), xticklabels=names)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_yscale("symlog", linthresh=1)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend(
        fontsize=7, frameon=False, ncols=len(study.alphas), loc="upper center", bbox_to_anchor=(0.5, -0.08)
    )
