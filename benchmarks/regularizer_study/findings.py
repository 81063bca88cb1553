"""What came out of the study, in sentences made of its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from benchmarks.regularizer_study.comparison import COMPARISONS, Curves
from benchmarks.regularizer_study.measuring import bound_at
from benchmarks.regularizer_study.plan import Study

__all__ = ["findings"]


def findings(study: Study, curves: Curves, names: Sequence[str]) -> Iterator[str]:
    """One sentence a codec, then how far q_θ and the fit can be trusted."""
    for codec in study.codecs:
        gains = {
            (alpha, name): curves.bd(codec, alpha, name, "regularized", "control").values
            for alpha in study.alphas
            for name in names
        }
        known = {key: values for key, values in gains.items() if len(values) == len(curves.seeds)}
        if not known:
            yield f"**{codec}**: not enough runs are finished to say anything."
            continue
        better = sum(max(values) < 0 for values in known.values())
        worse = sum(min(values) > 0 for values in known.values())
        mean = fmean(fmean(values) for values in known.values())
        yield (
            f"**{codec}**, regularized against its control, {len(known)} pairs of α and set that have the "
            f"curves of all seeds: better with every seed in {better}, worse with every seed in {worse}, "
            f"undecided in {len(known) - better - worse}; mean {mean:+.2f} %."
        )
    yield _trained_sources(curves, names[0])
    yield _fit_difference(study, curves, names)


def _fit_difference(study: Study, curves: Curves, names: Sequence[str]) -> str:
    """How much the fit through the points matters."""
    differences = [
        abs(a - b)
        for codec in curves.codecs
        for alpha in study.alphas
        for name in names
        for kind, anchor in COMPARISONS
        for a, b in zip(
            curves.bd(codec, alpha, name, kind, anchor).values,
            curves.bd(codec, alpha, name, kind, anchor, "pchip").values,
            strict=True,
        )
    ]
    if not differences:
        return "No complete pair of curves yet."
    return (
        "BD-rates are of Akima's splines; PCHIP through the same points changes them by "
        f"{fmean(differences):.2f} on average and by {max(differences):.2f} at most (percentage points): "
        "what is smaller says nothing."
    )


def _trained_sources(curves: Curves, name: str) -> str:
    """Whether the source models are better than one Gaussian of constant variance."""
    records = [record for record in curves.runs.values() if "H_theta" in record["training"]]
    training = sum(r["training"]["H_theta"] < bound_at(r["training"]["psnr"]) for r in records)
    measured = [figures for r in records if "H_theta" in (figures := r["sets"].get(name, {}))]
    test = sum(figures["H_theta"] < figures["H_bound"] for figures in measured)
    return (
        f"Ĥ_θ is below its bound in {training} of {len(records)} runs on the training crops, and in {test} "
        f"of {len(measured)} on {name}."
    )
