"""The study's section of docs/results.md: its tables, and findings in sentences made of their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.evaluation.tables import markdown_table
from studies.regularizer.curves import COMPARISONS, Curves
from studies.regularizer.measuring import bound_at
from studies.regularizer.plan import Kind, Study

__all__ = ["Scale", "bd_table", "findings", "section", "shift_table", "strength_table"]


@dataclass(frozen=True)
class Scale:
    """What was measured on what.

    Attributes:
        planned: runs of the grid, without the bases.
        images: number of images of each set.
        side: of their centre crops.
        bits: of some images, ``{"estimated", "file"}``.
    """

    planned: int
    images: Mapping[str, int]
    side: int
    bits: Sequence[Mapping[str, float]]


def section(study: Study, curves: Curves, scale: Scale, figure: str, how: Provenance) -> str:
    """The section in Markdown.

    Args:
        study: the settings.
        curves: of the finished runs.
        scale: see :class:`Scale`.
        figure: name of the figure's file in ``images/``.
        how: command, machine, date.
    """
    names = list(scale.images)
    parts = [
        "## The regularizer, at small scale",
        _introduction(study, curves, scale),
        f"![Curves on Kodak, and BD-rates of every seed](images/{figure})",
        "BD-rate in percent, negative is better: mean over the seeds (lowest … highest).",
        bd_table(study, curves, names),
        "What changes at equal λ against plain training, mean over the λ: if the identity held exactly, the "
        "regularized run and its control would show the same change.",
        shift_table(study, curves, names[0]),
        f"Strength and source model: bpp and PSNR on {names[0]}; r = α/α* (above 1 the regularizer outweighs "
        "the distortion's pull on the decoder; recommended: below 0.3) and the cosine between its "
        "gradient and that of the squared error at x̂, over the second half of the training; Ĥ_θ(X|X̂) and "
        "its bound, both in bits per pixel: above the bound q_θ is worse than one Gaussian of constant "
        "variance.",
        strength_table(study, curves, names[0]),
        *findings(study, curves, names),
        f"```\n{how}\n```",
    ]
    return "\n\n".join(parts)


def _introduction(study: Study, curves: Curves, scale: Scale) -> str:
    return (
        "Mathematics says that with an injective decoder the term −α·Ĥ(X|X̂) only turns λ into λ/(1+α). So "
        "every regularized run has a control: plain training at λ/(1+α). For each codec, λ and seed one is "
        "trained, with a q_θ beside it that does not touch it; plain, regularized and control runs then go "
        "on from these same weights with the same crops, noise and number of steps. So they differ in the "
        "loss alone, and small differences show that would drown in the chance of runs from scratch.\n\n"
        f"{_scale(study, curves, scale)}"
    )


def _scale(study: Study, curves: Curves, scale: Scale) -> str:
    steps = "; ".join(
        f"{name} at λ {', '.join(f'{lmbda:g}' for lmbda in s['lmbdas'])}: {s['steps']['base']} of a base, "
        f"then {s['steps']['branch']} of every branch"
        for name, s in study.codecs.items()
    )
    sets = ", ".join(f"{name} {count}" for name, count in scale.images.items())
    return (
        "Scale: far below the paper's. Codecs of a few hundred thousand parameters "
        f"(studies/regularizer/study.yaml), batches of {study.batch_size} crops of "
        f"{study.crop}×{study.crop} of {study.images} images, seeds {', '.join(map(str, study.seeds))}. "
        f"Steps: {steps}. {len(curves.runs)} of {scale.planned} runs are done. Measured on the "
        f"centres ({scale.side}×{scale.side}) of images ({sets}); bpp is estimated from the likelihoods."
        f"{_honesty(scale)}"
    )


def _honesty(scale: Scale) -> str:
    """How far real files are from the estimates."""
    if not scale.bits:
        return ""
    excess = [bits["file"] - bits["estimated"] for bits in scale.bits]
    share = [100 * e / bits["estimated"] for e, bits in zip(excess, scale.bits, strict=True)]
    return (
        f" Real `.glic` files, one image per run, are {min(excess) / 8:+.0f} to {max(excess) / 8:+.0f} bytes "
        f"from it, header included ({min(share):+.1f} to {max(share):+.1f} %)."
    )


def bd_table(study: Study, curves: Curves, names: Sequence[str]) -> str:
    """BD-rates on every set, in Markdown."""
    rows = (
        [codec, f"{alpha:g}", f"{kind} against {anchor}"]
        + [str(curves.bd(codec, alpha, name, kind, anchor)) for name in names]
        for codec in curves.codecs
        for alpha in study.alphas
        for kind, anchor in COMPARISONS
    )
    return markdown_table(["codec", "α", "curves", *names], rows, left=3)


def shift_table(study: Study, curves: Curves, name: str) -> str:
    """What changes at equal λ on a set."""
    kinds: tuple[Kind, ...] = ("regularized", "control")
    rows = (
        [codec, f"{alpha:g}", kind, *map(str, curves.shift(codec, alpha, name, kind))]
        for codec in curves.codecs
        for alpha in study.alphas
        for kind in kinds
    )
    return markdown_table(["codec", "α", "runs", "bpp, %", "PSNR, dB"], rows, left=3)


def strength_table(study: Study, curves: Curves, name: str) -> str:
    """How strong the regularizer was at each λ, and how good q_θ: on the training crops and on a set."""
    header = ["codec", "λ", "α", "bpp", "PSNR, dB", "r", "cosine"]
    header += ["Ĥ_θ, training", "bound, training", f"Ĥ_θ, {name}", f"bound, {name}"]
    rows = (
        [codec, f"{lmbda:g}", f"{alpha:g}", *_strength(curves, codec, alpha, lmbda, name)]
        for codec in curves.codecs
        for lmbda in study.codecs[codec]["lmbdas"]
        for alpha in (0.0, *study.alphas)
    )
    return markdown_table(header, rows, left=1)


def _strength(curves: Curves, codec: str, alpha: float, lmbda: float, name: str) -> list[str]:
    """The cells of a row after those that name it; empty where there is no run."""
    kind: Kind = "regularized" if alpha else "plain"
    test = curves.means(codec, kind, alpha, lmbda, name)
    training = curves.means(codec, kind, alpha, lmbda, "training")
    if not (test and training):
        return [""] * 8
    strength = [f"{training['r']:.2f}", f"{training['cosine']:.2f}"] if alpha else ["", ""]
    entropies = [training["H_theta"], bound_at(training["psnr"]), test["H_theta"], test["H_bound"]]
    return [f"{test['bpp']:.4f}", f"{test['psnr']:.2f}", *strength, *(f"{bits:.2f}" for bits in entropies)]


def findings(study: Study, curves: Curves, names: Sequence[str]) -> Iterator[str]:
    """One sentence per codec, then how far q_θ and the fit can be trusted."""
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
    measured = [metrics for r in records if "H_theta" in (metrics := r["sets"].get(name, {}))]
    test = sum(metrics["H_theta"] < metrics["H_bound"] for metrics in measured)
    return (
        f"Ĥ_θ is below its bound in {training} of {len(records)} runs on the training crops, and in {test} "
        f"of {len(measured)} on {name}."
    )
