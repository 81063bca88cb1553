"""The study's figure: every row against the baseline, a dot a seed, and the paper where it is known."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.ablations.comparison import more_rate
from benchmarks.ablations.rows import BASELINE, ROWS
from benchmarks.ablations.training import Run
from benchmarks.run_records import Record
from glic_pyg.plotting import encode_figure, styled_figure

__all__ = ["ablation_figure"]

OURS, PAPER, LINE = "#D55E00", "#0072B2", "#444444"


def ablation_figure(records: Mapping[Run, Record]) -> bytes:
    """A PNG file; to the right is worse than the released model's settings."""
    rows = [row for row in ROWS if row.name != BASELINE]
    baseline = next(row.paper for row in ROWS if row.name == BASELINE)
    assert baseline is not None
    with styled_figure(8, 0.3 * len(rows) + 1.2) as figure:
        axes = figure.subplots()
        for place, row in enumerate(rows):
            values = more_rate(records, row).values
            axes.plot(values, [place] * len(values), "o", color=OURS, mfc="none", ms=6)
            if row.paper is not None:
                axes.plot([row.paper[0] - baseline[0]], [place], "D", color=PAPER, ms=5)
        axes.plot([], [], "o", color=OURS, mfc="none", label="here: rate at equal quality, %, a dot a seed")
        axes.plot([], [], "D", color=PAPER, label="paper: BD-rate on Kodak, percentage points")
        axes.axvline(0, color=LINE, lw=0.8)
        axes.set(
            yticks=range(len(rows)),
            yticklabels=[f"{row.group}: {row.choice}" for row in rows],
            xlabel="more rate than Sobel, RMS",
        )
        axes.invert_yaxis()
        axes.legend(fontsize=8, frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.4, 1.0))
        return encode_figure(figure)
