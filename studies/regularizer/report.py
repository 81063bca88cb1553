"""The study's section of docs/regularizer.md: its tables, and findings in sentences made of their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.evaluation.tables import markdown_table
from studies.regularizer.curves import COMPARISONS, Curves
from studies.regularizer.plan import Kind, Study

__all__ = ["Scale", "bd_table", "findings", "section", "shift_table", "strength_table"]


@dataclass(frozen=True)
class Scale:
    """What was measured on what.

    Attributes:
        planned: branches of the grid.
        images: number of images of each set.
        side: of their centre crops.
        seconds: of processor time that all finished runs took to train.
    """

    planned: int
    images: Mapping[str, int]
    side: int
    seconds: float


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
        "## The regularizer: does it buy more than another λ?",
        _introduction(study, curves, scale),
        f"![Curves on Kodak, and BD-rates of every seed](images/{figure})",
        "BD-rate in percent of real `.glic` files, negative is better: mean over the seeds (lowest … "
        "highest); ± is the standard error over images, each against itself.",
        bd_table(curves, names),
        "What changes at equal λ against plain training, mean over the λ: if the identity held exactly, the "
        "regularized run and its control would show the same change.",
        shift_table(curves, names[0]),
        "Strength and source model, on the training crops: r = α/α* (above 1 the regularizer outweighs "
        "the distortion's pull on the decoder; recommended: below 0.3) and the cosine between its "
        "gradient and that of the squared error at x̂, over the second half of the training; Ĥ_θ(X|X̂) and "
        "its bound, both in bits per pixel: above the bound q_θ is worse than one Gaussian of constant "
        "variance. The loss is the plain one, R + λD, which all α have in common.",
        strength_table(curves, names[0]),
        *findings(curves, names),
        f"```\n{how}\n```",
    ]
    return "\n\n".join(parts)


def _introduction(study: Study, curves: Curves, scale: Scale) -> str:
    return (
        "Mathematics says that with an injective decoder the term −α·Ĥ(X|X̂) only turns λ into λ/(1+α). So "
        "every regularized run has a control: plain training at λ/(1+α). For each codec and λ there is one "
        "trained codec, and a q_θ that has learned beside it while it stood still; plain, regularized and "
        "control runs go on from these same weights with the same crops, noise and number of steps. So they "
        "differ in the loss alone, and small differences show that would drown in the chance of runs from "
        f"scratch.\n\n{_scale(study, curves, scale)}"
    )


def _scale(study: Study, curves: Curves, scale: Scale) -> str:
    begins = "; ".join(_beginning(name, settings) for name, settings in study.codecs.items())
    sets = ", ".join(f"{name} {count}" for name, count in scale.images.items())
    return (
        f"{begins}. Batches of {study.batch_size} crops of {study.crop}×{study.crop} of {study.images} "
        f"images; seeds of crops and noise {', '.join(map(str, study.seeds))}. {len(curves.runs)} of "
        f"{scale.planned} branches are done, in {scale.seconds / 3600:.1f} core-hours with what they begin "
        f"with. Measured on the centres ({scale.side}×{scale.side}) of images ({sets}), by the bytes of real "
        "files and the pixels decoded from them. Far below the paper's scale."
    )


def _beginning(name: str, settings: Mapping[str, Any]) -> str:
    steps = settings["steps"]
    if "start_from" in settings:
        codec = f"{name} is the shipped weights `{settings['start_from']}`"
    else:
        rates = ", ".join(f"{lmbda:g}" for lmbda in settings["lmbdas"])
        each = " each" if len(settings["lmbdas"]) > 1 else ""
        codec = f"{name} is trained at λ {rates}, {steps['base']:,} steps{each}"
    if "qualities" in settings:
        codec += f", one model of every rate, measured at {len(settings['qualities'])} qualities"
    return f"{codec}; then {steps['source']:,} steps of q_θ alone and {steps['branch']:,} of every branch"


def bd_table(curves: Curves, names: Sequence[str]) -> str:
    """BD-rates on every set, in Markdown."""
    rows = (
        [codec, f"{alpha:g}", f"{kind} against {anchor}"]
        + [_bd_cell(curves, codec, alpha, name, kind, anchor) for name in names]
        for codec in curves.codecs
        for alpha in curves.alphas(codec)
        for kind, anchor in COMPARISONS
    )
    return markdown_table(["codec", "α", "curves", *names], rows, left=3)


def _bd_cell(curves: Curves, codec: str, alpha: float, name: str, kind: Kind, anchor: Kind) -> str:
    error = curves.standard_error(codec, alpha, name, kind, anchor)
    return f"{curves.bd(codec, alpha, name, kind, anchor)}" + ("" if error is None else f" ± {error:.2f}")


def shift_table(curves: Curves, name: str) -> str:
    """What changes at equal λ on a set."""
    kinds: tuple[Kind, ...] = ("regularized", "control")
    rows = (
        [codec, f"{alpha:g}", kind, *map(str, curves.shift(codec, alpha, name, kind))]
        for codec in curves.codecs
        for alpha in curves.alphas(codec)
        for kind in kinds
    )
    return markdown_table(["codec", "α", "runs", "bpp, %", "PSNR, dB"], rows, left=3)


def strength_table(curves: Curves, name: str) -> str:
    """How strong the regularizer was at each λ, and how good q_θ: on the training crops and on a set."""
    header = ["codec", "λ", "α", "R + λD", "bpp", "PSNR, dB", "r", "cosine"]
    header += ["Ĥ_θ, training", "bound, training", f"Ĥ_θ, {name}", f"bound, {name}"]
    rows = (
        [codec, f"{lmbda:g}", f"{alpha:g}", *_strength(curves, codec, alpha, lmbda, name)]
        for codec in curves.codecs
        for lmbda in curves.lmbdas[codec]
        for alpha in (0.0, *curves.alphas(codec))
    )
    return markdown_table(header, rows, left=1)


def _strength(curves: Curves, codec: str, alpha: float, lmbda: float, name: str) -> list[str]:
    """The cells of a row after those that name it; empty where there is no run."""
    kind: Kind = "regularized" if alpha else "plain"
    test = curves.means(codec, kind, alpha, lmbda, name)
    training = curves.means(codec, kind, alpha, lmbda, "training")
    if not (test and training):
        return [""] * 9
    cells = [f"{training['loss_plain']:.4f}", f"{training['bpp']:.4f}", f"{training['psnr']:.2f}"]
    cells += [f"{training['r']:.2f}", f"{training['cosine']:.2f}"] if alpha else ["", ""]
    return cells + [f"{part[key]:.2f}" for part in (training, test) for key in ("H_theta", "H_bound")]


def findings(curves: Curves, names: Sequence[str]) -> Iterator[str]:
    """One sentence per codec, then how far q_θ and the fit can be trusted."""
    for codec in curves.lmbdas:
        gains = {
            (alpha, name): curves.bd(codec, alpha, name, "regularized", "control").values
            for alpha in curves.alphas(codec)
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
    yield _fit_difference(curves, names)


def _fit_difference(curves: Curves, names: Sequence[str]) -> str:
    """How much the fit through the points matters."""
    differences = [
        abs(a - b)
        for codec in curves.codecs
        for alpha in curves.alphas(codec)
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
    parts = [record["training"] for record in records]
    measured = [part for r in records if "H_theta" in (part := r["sets"].get(name, {}))]
    below = [sum(part["H_theta"] < part["H_bound"] for part in found) for found in (parts, measured)]
    return (
        f"Ĥ_θ is below its bound in {below[0]} of {len(parts)} runs on the training crops, and in {below[1]} "
        f"of {len(measured)} on {name}."
    )
