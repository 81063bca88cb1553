"""Rows against the baseline, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

from benchmarks.ablations.rows import BASELINE, ROWS, Row
from benchmarks.ablations.training import Run
from benchmarks.regularizer_study.comparison import Spread
from benchmarks.run_records import Record

__all__ = ["more_rate", "separated"]

SET = "val"


def more_rate(records: Mapping[Run, Record], row: Row) -> Spread:
    r"""What a row costs against the baseline at equal quality, in percent of the rate; one value a seed.

    One λ makes one point a run, so there is no BD-rate. But where its slope is λ, a curve obeys
    dR = -λ 255² dMSE: moving along the row's curve to the baseline's MSE changes its rate by as much as the
    difference of the losses J = bpp + λ 255² MSE says. So to first order the rate at equal quality is

    .. math:: 100 \cdot (J_\text{row} - J_\text{baseline}) / R_\text{baseline}.
    """
    own = {run.seed: record for run, record in records.items() if run.row == row.name}
    base = {run.seed: record for run, record in records.items() if run.row == BASELINE}
    return Spread(tuple(_percent(own[seed], base[seed]) for seed in sorted(own.keys() & base.keys())))


def _percent(record: Record, base: Record) -> float:
    found, reference = record["sets"][SET], base["sets"][SET]
    return float(100 * (found["loss"] - reference["loss"]) / reference["bpp"])


def separated(records: Mapping[Run, Record]) -> tuple[list[Row], float]:
    """Rows that are on one side of the baseline with every seed by more than seeds usually differ; that much.

    Seeds usually differ by the mean, over the rows, of the distance between a row's lowest and highest value.
    """
    spreads = {row: more_rate(records, row).values for row in ROWS if row.name != BASELINE}
    known = {row: values for row, values in spreads.items() if len(values) > 1}
    if not known:
        return [], float("nan")
    usual = fmean(max(values) - min(values) for values in known.values())
    apart = [row for row, values in known.items() if min(values) > usual or max(values) < -usual]
    return apart, usual
