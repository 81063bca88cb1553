"""The rows of the table, in the paper and here."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import NamedTuple

from studies.ablations.training import TEST_SET, Run
from studies.records import Record, Spread

__all__ = ["BASELINE", "ROWS", "Row", "more_rate", "separated"]

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


def more_rate(records: Mapping[Run, Record], row: Row) -> Spread:
    r"""Rate of a row beyond the baseline at equal quality, in percent, one value per seed.

    A single λ gives one point per run, so there is no BD-rate. But where a curve has the slope λ, it obeys
    dR = -λ 255² dMSE: moving along the row's curve to the MSE of the baseline changes the rate by the
    difference of the losses J = bpp + λ 255² MSE. So to first order the rate at equal quality is

    .. math:: 100 \cdot (J_\text{row} - J_\text{baseline}) / R_\text{baseline}.
    """
    own = {run.seed: record for run, record in records.items() if run.row == row.name}
    base = {run.seed: record for run, record in records.items() if run.row == BASELINE}
    return Spread(tuple(_percent(own[seed], base[seed]) for seed in sorted(own.keys() & base.keys())))


def _percent(record: Record, base: Record) -> float:
    found, reference = record["sets"][TEST_SET], base["sets"][TEST_SET]
    return float(100 * (found["loss"] - reference["loss"]) / reference["bpp"])


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
