"""``make shipped``: what the hours of training brought, as a table and a curve in docs/shipped.md.

docs/data/shipped.tsv has a row for each of the weights that were shipped: what ``make results`` measured that
day, and the core-hours that went into them and into what they began as.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glic_pyg.errors import GlicError
from glic_pyg.evaluation.tables import markdown_table, number_cell
from glic_pyg.plotting import encode_figure, styled_figure
from studies.page import DOCS, read_data, write_image, write_section

__all__ = ["Stage", "Trend", "history_figure", "history_section", "main", "stages", "trend_of"]

DATA, FIGURE = "shipped.tsv", "shipped.svg"
COLUMNS = {"vtm_9_1": "VTM-9.1", "avif": "AVIF", "webp": "WebP", "webp_out_of_domain": "WebP, out of domain"}
MORE_HOURS = 10.0
_LEGEND = """\
BD-rates in percent, of real files: against VTM-9.1's published points, and AVIF and WebP of the same run, on
the 24 images of Kodak; last, against WebP on 23 other images. Hours are those of training, from the first
step."""
_TREND = """\
A straight line over the logarithm of hours falls {points:.0f} points when the hours double, and no stage is
farther than {farthest:.0f} from it. On it, {hours:.0f} more core-hours would lead to {ahead:+.0f} % against
VTM-9.1."""


class Stage(NamedTuple):
    """Weights that were shipped.

    Attributes:
        weights: their name.
        remark: what distinguishes them from others of that name, or empty.
        hours: core-hours of training from the very beginning.
        rates: BD-rates in percent, by the names of :data:`COLUMNS`.
    """

    weights: str
    remark: str
    hours: float
    rates: dict[str, float]


class Trend(NamedTuple):
    """A straight line over the logarithm of hours.

    Attributes:
        a_doubling: percent that twice the hours bring.
        farthest: largest distance of a stage from the line, in percent.
        ahead: percent on the line after :data:`MORE_HOURS` more.
    """

    a_doubling: float
    farthest: float
    ahead: float


def main(argv: Sequence[str] | None = None) -> int:
    """Write figure and section; 0, or 1 with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m studies.shipping.history", description="make shipped")
    parser.add_argument(
        "--docs", type=Path, default=DOCS, help="data/shipped.tsv is read there, shipped.md written"
    )
    docs: Path = parser.parse_args(argv).docs
    try:
        found = stages(docs)
        write_image(docs, FIGURE, history_figure(found))
        write_section(docs / "shipped.md", "shipped", history_section(found))
    except (GlicError, OSError) as error:
        print(f"shipped: {error}", file=sys.stderr)
        return 1
    return 0


def stages(docs: Path) -> list[Stage]:
    """The rows of the data file, in the order of hours.

    Raises:
        GlicError: there are fewer than two, or one has no hours or no number.
    """
    try:
        found = [
            Stage(
                row["weights"],
                row["remark"],
                float(row["core_hours"]),
                {name: float(row[name]) for name in COLUMNS},
            )
            for row in read_data(docs, DATA)
        ]
    except (KeyError, ValueError, TypeError) as error:
        raise GlicError(f"{docs / 'data' / DATA} has a row without {error}.") from None
    if len(found) < 2 or min(stage.hours for stage in found) <= 0:
        raise GlicError(f"{docs / 'data' / DATA} needs two rows with hours above 0.")
    return sorted(found, key=lambda stage: stage.hours)


def trend_of(found: Sequence[Stage], column: str = "vtm_9_1") -> Trend:
    """The line of least squares through all stages; of one column."""
    doublings = np.log2([stage.hours for stage in found])
    rates = np.array([stage.rates[column] for stage in found])
    slope, start = np.polyfit(doublings, rates, 1)
    ahead = start + slope * np.log2(found[-1].hours + MORE_HOURS)
    return Trend(float(slope), float(abs(start + slope * doublings - rates).max()), float(ahead))


def history_section(found: Sequence[Stage]) -> str:
    """Table, figure and what the line says."""
    trend = trend_of(found)
    rows = [
        (
            f"`{stage.weights}`" + (f", {stage.remark}" if stage.remark else ""),
            f"{stage.hours:g}",
            *(number_cell(stage.rates[name], "+.1f") for name in COLUMNS),
        )
        for stage in found
    ]
    return "\n\n".join([
        markdown_table(("weights", "core-hours", *COLUMNS.values()), rows),
        _LEGEND,
        f"![BD-rate over core-hours](images/{FIGURE})",
        _TREND.format(
            points=-trend.a_doubling, farthest=trend.farthest, hours=MORE_HOURS, ahead=trend.ahead
        ),
        "command: make shipped",
    ])  # fmt: skip


def history_figure(found: Sequence[Stage]) -> bytes:
    """BD-rate on Kodak over hours, a curve for each codec that it is against: the contents of an SVG file."""
    hours = [stage.hours for stage in found]
    with styled_figure(6, 3.8) as figure:
        axes = figure.subplots()
        for name, title in COLUMNS.items():
            axes.plot(hours, [stage.rates[name] for stage in found], "o-", label=title)
        axes.axhline(0, color="0.4", lw=0.8)
        for stage in found:
            axes.annotate(
                stage.weights, (stage.hours, stage.rates["vtm_9_1"]), (0, 7),
                textcoords="offset points", ha="center", fontsize="small",
            )  # fmt: skip
        axes.set(xscale="log", xlabel="core-hours of training", ylabel="BD-rate against each, %")
        axes.set_xticks(hours, [f"{hour:g}" for hour in hours])
        axes.minorticks_off()
        axes.margins(y=0.12)
        axes.legend()
        return encode_figure(figure, "svg")


if __name__ == "__main__":
    raise SystemExit(main())
