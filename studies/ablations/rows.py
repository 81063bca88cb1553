"""The rows of the table, in the paper and here."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import NamedTuple

from studies.ablations.training import TEST_SET, Kind, Run
from studies.rate_distortion import Point, bd_percent
from studies.records import Record, Spread

__all__ = ["BASELINE", "ROWS", "SCRATCH", "Row", "more_rate", "points", "runs", "separated"]

BASELINE = "sobel_rms"
"""The settings of the released model: every other row is compared with it."""


class Row(NamedTuple):
    """One ablation.

    Attributes:
        name: of its runs; :func:`~studies.ablations.training.override_of` has what it changes.
        group: what is varied.
        choice: how.
        paper: BD-rate against VTM-9.1 in percent on Kodak, CLIC and Tecnick, as printed in arXiv 2603.25316;
            ``None`` if there is none.
    """

    name: str
    group: str
    choice: str
    paper: tuple[float, float, float] | None = None


ROWS = (
    Row(BASELINE, "score, pooling", "Sobel, RMS: the released model", (-19.29, -18.71, -21.69)),
    Row("sobel_mean", "score, pooling", "Sobel, mean", (-18.02, -17.42, -20.62)),
    Row("residual_mean", "score, pooling", "rescaling residual, mean", (-18.23, -17.82, -20.39)),
    Row("residual_rms", "score, pooling", "rescaling residual, RMS", (-17.67, -17.03, -19.68)),
    Row("entropy_rms", "score, pooling", "local entropy, RMS", (-17.05, -17.01, -18.97)),
    Row("uniform", "score, pooling", "none: uniform degree (k-NN)", (-16.97, -16.21, -18.21)),
    Row("local", "graphs", "local only"),
    Row("mesh", "graphs", "mesh only"),
    Row("union", "graphs", "union of both in every layer"),
    Row("radius", "graphs", "radius 9"),
    Row("image_budget", "budget", "per image"),
    Row("exact", "budget", "exact instead of bisection"),
    Row("degree_16", "mean degree", "16"),
    Row("degree_32", "mean degree", "32"),
    Row("degree_128", "mean degree", "128"),
    Row("degree_256", "mean degree", "256"),
    Row("encoder", "place", "GFA in the encoder only"),
    Row("decoder", "place", "GFA in the decoder only"),
    Row("learned", "beyond the paper", "learned complexity"),
    Row("context", "beyond the paper", "GFA in the entropy model too"),
)


SCRATCH = (BASELINE, "uniform", "local", "mesh")
"""Rows that are also trained without the shipped weights, since these favour what they were trained with."""


def runs(seeds: int, steps: int | None = None) -> list[Run]:
    """All runs of the study: what answers most comes first, all rows of a seed before the next.

    Args:
        seeds: number of them, of each row.
        steps: of each training; ``None`` for those of the experiment.
    """
    planned = [Run(row.name, 0, "swapped", steps) for row in ROWS]
    for seed in range(seeds):
        planned += [Run(row.name, seed, "tuned", steps) for row in ROWS]
        planned += [Run(name, seed, "scratch", steps) for name in SCRATCH]
    return planned


def more_rate(records: Mapping[Run, Record], row: Row, kind: Kind = "tuned") -> Spread:
    """BD-rates of a row against the baseline of the same kind and seed, in percent; less is better.

    Curves of the two that do not overlap give no value.
    """
    own = {run.seed: record for run, record in records.items() if (run.row, run.kind) == (row.name, kind)}
    base = {run.seed: record for run, record in records.items() if (run.row, run.kind) == (BASELINE, kind)}
    found = (bd_percent(points(base[seed]), points(own[seed])) for seed in sorted(own.keys() & base.keys()))
    return Spread(tuple(value for value in found if value is not None))


def points(record: Record) -> list[Point]:
    """What a run reached on the test set at each quality."""
    metrics = record["sets"][TEST_SET]
    return [Point(*pair) for pair in zip(metrics["bpp"], metrics["psnr"], strict=True)]


def separated(records: Mapping[Run, Record]) -> tuple[list[Row], float]:
    """Rows that differ from the baseline in the same direction with every seed, by more than seeds do.

    Returns:
        The rows, and by how much seeds differ: the mean over the rows of the range of a row's values; NaN if
        no row has several seeds.
    """
    spreads = {row: more_rate(records, row).values for row in ROWS if row.name != BASELINE}
    known = {row: values for row, values in spreads.items() if len(values) > 1}
    if not known:
        return [], float("nan")
    usual = fmean(max(values) - min(values) for values in known.values())
    apart = [row for row, values in known.items() if min(values) > usual or max(values) < -usual]
    return apart, usual
