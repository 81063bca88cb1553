"""The study's tables."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.regularizer_study.comparison import COMPARISONS, Curves
from benchmarks.regularizer_study.measuring import bound_at
from benchmarks.regularizer_study.plan import Kind, Study
from glic_pyg.evaluation.markdown_table import markdown_table

__all__ = ["bd_table", "shift_table", "strength_table"]


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
