"""Curves of finished runs: BD-rates seed by seed, and their figure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from matplotlib.ticker import SymmetricalLogLocator

from glic_pyg.evaluation.bd_rate import Method
from glic_pyg.plotting import encode_figure, styled_figure
from studies.rate_distortion import Point, bd_percent
from studies.records import Spread
from studies.regularizer.measuring import Finished
from studies.regularizer.plan import Kind

__all__ = ["COMPARISONS", "Curves", "study_figure"]


COLOURS = ("#56B4E9", "#E69F00", "#D55E00", "#CC79A7", "#009E73")
PLAIN = "#444444"
KINDS: tuple[tuple[Kind, str], ...] = (("regularized", "o"), ("control", "x"))
COMPARISONS: tuple[tuple[Kind, Kind], ...] = (
    ("regularized", "plain"),
    ("control", "plain"),
    ("regularized", "control"),
)


class Curves:
    """The rate-distortion curves of a study.

    Args:
        finished: its runs; incomplete curves are left out.
        lmbdas: of a complete curve, by codec.

    Attributes:
        codecs: those with runs at every λ.
    """

    def __init__(self, finished: Iterable[Finished], lmbdas: Mapping[str, Sequence[float]]) -> None:
        self.runs = {
            (f.run.codec, f.run.kind, f.run.alpha, f.run.seed, f.run.lmbda): f.record for f in finished
        }
        self.lmbdas = lmbdas
        self.codecs = [
            codec for codec in lmbdas if {key[4] for key in self.runs if key[0] == codec} == {*lmbdas[codec]}
        ]
        self.seeds = sorted({key[3] for key in self.runs})

    def alphas(self, codec: str) -> list[float]:
        """The strengths that a codec has finished runs of."""
        return sorted({key[2] for key in self.runs if key[0] == codec and key[2]})

    def curve(self, codec: str, kind: Kind, alpha: float, seed: int, name: str) -> list[Point] | None:
        """A complete curve of means over the set ``name``, or ``None``."""
        points = self._points(codec, kind, alpha, seed, name)
        if points is None:
            return None
        return [Point(*map(fmean, zip(*images, strict=True))) for images in points]

    def _points(self, codec: str, kind: Kind, alpha: float, seed: int, name: str) -> list[list[Point]] | None:
        """For each point of a complete curve those of all images; or ``None``."""
        records = [self.runs.get((codec, kind, alpha, seed, lmbda)) for lmbda in self.lmbdas[codec]]
        if not all(record and name in record["sets"] for record in records):
            return None
        sets = [record["sets"][name] for record in records if record]
        return [[Point(*point) for point in images] for metrics in sets for images in metrics["points"]]

    def bd(
        self, codec: str, alpha: float, name: str, kind: Kind, anchor: Kind = "plain", fit: Method = "akima"
    ) -> Spread:
        """BD-rates of the runs of a kind against those of ``anchor``, each seed against itself."""
        values = []
        for seed in self.seeds:
            reference = self.curve(codec, anchor, 0.0 if anchor == "plain" else alpha, seed, name)
            tested = self.curve(codec, kind, alpha, seed, name)
            if reference and tested and (value := bd_percent(reference, tested, fit)) is not None:
                values.append(value)
        return Spread(tuple(values))

    def standard_error(
        self, codec: str, alpha: float, name: str, kind: Kind, anchor: Kind = "plain"
    ) -> float | None:
        """Standard error of the mean BD-rate over images, each the mean of its own over the seeds.

        ``None`` if fewer than two images have curves that can be compared with every seed.
        """
        by_image: dict[int, list[float | None]] = defaultdict(list)
        for seed in self.seeds:
            reference = self._points(codec, anchor, 0.0 if anchor == "plain" else alpha, seed, name)
            tested = self._points(codec, kind, alpha, seed, name)
            if reference and tested:
                pairs = zip(zip(*reference, strict=True), zip(*tested, strict=True), strict=True)
                for image, (one, other) in enumerate(pairs):
                    by_image[image].append(bd_percent(one, other))
        means = [
            fmean(v for v in values if v is not None) for values in by_image.values() if None not in values
        ]
        return stdev(means) / math.sqrt(len(means)) if len(means) > 1 else None

    def shift(self, codec: str, alpha: float, name: str, kind: Kind) -> tuple[Spread, Spread]:
        """Changes of the runs of a kind against plain ones at equal λ: rate in percent, PSNR in dB.

        Means over the points of the curve, one value per seed.
        """
        rates, qualities = [], []
        for seed in self.seeds:
            plain = self.curve(codec, "plain", 0.0, seed, name)
            moved = self.curve(codec, kind, alpha, seed, name)
            if plain and moved:
                pairs = list(zip(plain, moved, strict=True))
                rates.append(fmean(100 * (b.bpp / a.bpp - 1) for a, b in pairs))
                qualities.append(fmean(b.psnr - a.psnr for a, b in pairs))
        return Spread(tuple(rates)), Spread(tuple(qualities))

    def means(self, codec: str, kind: Kind, alpha: float, lmbda: float, part: str) -> dict[str, float]:
        """Means over the seeds of the numbers in a part of the records: ``"training"`` or a set's name."""
        found = [self.runs.get((codec, kind, alpha, seed, lmbda)) for seed in self.seeds]
        parts = [r["training"] if part == "training" else r["sets"].get(part) for r in found if r]
        numbers = [{n: v for n, v in p.items() if isinstance(v, float)} for p in parts if p]
        return {name: fmean(p[name] for p in numbers) for name in numbers[0]} if numbers else {}


def study_figure(curves: Curves, names: Sequence[str]) -> bytes:
    """A row per codec: curves on the first set, then BD-rates against plain training on all.

    Args:
        curves: of the finished runs.
        names: of the sets.

    Returns:
        A PNG file.
    """
    with styled_figure(9, 3.3 * len(curves.codecs)) as figure:
        rows = figure.subplots(len(curves.codecs), 2, squeeze=False, width_ratios=(2, 3))
        for (left, right), codec in zip(rows, curves.codecs, strict=True):
            _curves(left, curves.alphas(codec), curves, codec, names[0])
            _bd_rates(right, curves.alphas(codec), curves, codec, names)
        return encode_figure(figure)


def _curves(axes: Any, alphas: Sequence[float], curves: Curves, codec: str, name: str) -> None:
    lines: list[tuple[Kind, float, str, str]] = [("plain", 0.0, PLAIN, "-")]
    for alpha, colour in zip(alphas, COLOURS, strict=False):
        lines += [(kind, alpha, colour, marker) for kind, marker in KINDS]
    for kind, alpha, colour, style in lines:
        for seed in curves.seeds:
            curve = curves.curve(codec, kind, alpha, seed, name)
            if curve:
                axes.plot(*zip(*sorted(curve), strict=True), style, color=colour, mfc="none", ms=5, lw=1)
    axes.set(title=f"{codec}, {name}", xlabel="bits per pixel", ylabel="PSNR, dB")


def _bd_rates(axes: Any, alphas: Sequence[float], curves: Curves, codec: str, names: Sequence[str]) -> None:
    step = 0.8 / max(1, 2 * len(alphas))
    for number, (alpha, colour) in enumerate(zip(alphas, COLOURS, strict=False)):
        for which, (kind, marker) in enumerate(KINDS):
            offset = (2 * number + which - len(alphas) + 0.5) * step
            label: str | None = f"{kind}, α = {alpha:g}"
            for place, name in enumerate(names):
                values = curves.bd(codec, alpha, name, kind).values
                axes.plot([place + offset] * len(values), values, marker, color=colour, ms=5, label=label)
                label = None
    axes.axhline(0, color=PLAIN, lw=0.8)
    axes.set(title="BD-rate against plain training, %", xticks=range(len(names)), xticklabels=names)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_yscale("symlog", linthresh=1)
    axes.margins(y=0.08)
    axes.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=1, subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel("logarithmic beyond ±1")
    if alphas:
        columns = {"ncols": len(alphas), "loc": "upper center", "bbox_to_anchor": (0.5, -0.08)}
        axes.legend(fontsize=7, frameon=False, **columns)
