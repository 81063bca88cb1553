"""The study's section of docs/results.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.regularizer_study.comparison import Curves
from benchmarks.regularizer_study.findings import findings
from benchmarks.regularizer_study.plan import Study
from benchmarks.regularizer_study.tables import bd_table, shift_table, strength_table
from glic_pyg.evaluation.provenance import Provenance

__all__ = ["Scale", "section"]


@dataclass(frozen=True)
class Scale:
    """What was measured on what.

    Attributes:
        planned: runs of the grid, the bases left out.
        pictures: number of pictures of each set.
        side: of their centre crops.
        bits: of some pictures, ``{"estimated", "file"}``.
    """

    planned: int
    pictures: Mapping[str, int]
    side: int
    bits: Sequence[Mapping[str, float]]


def section(study: Study, curves: Curves, scale: Scale, figure: str, how: Provenance) -> str:
    """Markdown from the heading on.

    Args:
        study: the settings.
        curves: of the finished runs.
        scale: see :class:`Scale`.
        figure: name of the figure's file in ``images/``.
        how: command, machine, date.
    """
    names = list(scale.pictures)
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
    sets = ", ".join(f"{name} {count}" for name, count in scale.pictures.items())
    return (
        "Scale: far below the paper's. Codecs of a few hundred thousand parameters "
        f"(benchmarks/regularizer_study/study.yaml), batches of {study.batch_size} crops of "
        f"{study.crop}×{study.crop} of {study.pictures} pictures, seeds {', '.join(map(str, study.seeds))}. "
        f"Steps: {steps}. {len(curves.runs)} of {scale.planned} runs are done. Measured on the "
        f"centres ({scale.side}×{scale.side}) of pictures ({sets}); bpp is estimated from the likelihoods."
        f"{_honesty(scale)}"
    )


def _honesty(scale: Scale) -> str:
    """How far real files are from the estimates."""
    if not scale.bits:
        return ""
    excess = [bits["file"] - bits["estimated"] for bits in scale.bits]
    share = [100 * e / bits["estimated"] for e, bits in zip(excess, scale.bits, strict=True)]
    return (
        f" Real `.glic` files, a picture a run, are {min(excess) / 8:+.0f} to {max(excess) / 8:+.0f} bytes "
        f"from it, header included ({min(share):+.1f} to {max(share):+.1f} %)."
    )
