"""The study's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.regularizer_study.comparison import COMPARISONS, Curves
from benchmarks.regularizer_study.plan import Kind, Study

__all__ = ["bd_table", "shift_table", "strength_table"]

DIGITS = {"bpp": 4, "psnr": 2, "r": 2, "cosine": 2, "H_theta": 2, "H_bound": 2}


def bd_table(study: Study, curves: Curves, names: Sequence[str]) -> str:
    """BD-rates on every set, in Markdown."""
    rows = (
        [codec, f"{alpha:g}", f"{kind} against {anchor}"]
        + [str(curves.bd(codec, alpha, name, kind, anchor)) for name in names]
        for codec in study.codecs
        for alpha in study.alphas
        for kind, anchor in COMPARISONS
    )
    return _table(["codec", "α", "curves", *names], rows, left=3)


def shift_table(study: Study, curves: Curves, name: str) -> str:
    """What changes at equal λ on a set."""
    kinds: tuple[Kind, ...] = ("regularized", "control")
    rows = (
        [codec, f"{alpha:g}", kind, *map(str, curves.shift(codec, alpha, name, kind))]
        for codec in study.codecs
        for alpha in study.alphas
        for kind in kinds
    )
    return _table(["codec", "α", "runs", "bpp, %", "PSNR, dB"], rows, left=3)


def strength_table(study: Study, curves: Curves, name: str) -> str:
    """How strong the regularizer was at each λ, and how good q_θ."""
    header = ["codec", "λ", "α", "bpp", "PSNR, dB", "r", "cosine", "Ĥ_θ, bpp", "bound, bpp"]
    return _table(header, _strength_rows(study, curves, name), left=1)


def _strength_rows(study: Study, curves: Curves, name: str) -> Iterator[Sequence[str]]:
    for codec in study.codecs:
        for lmbda in study.codecs[codec]["lmbdas"]:
            for alpha in (0.0, *study.alphas):
                found = curves.means(codec, "regularized" if alpha else "plain", alpha, lmbda, name)
                training = curves.means(codec, "regularized", alpha, lmbda, "training")
                found |= {key: training[key] for key in ("r", "cosine") if key in training}
                yield [codec, f"{lmbda:g}", f"{alpha:g}", *(_number(found, key) for key in DIGITS)]


def _number(values: dict[str, float], name: str) -> str:
    return f"{values[name]:.{DIGITS[name]}f}" if name in values else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    rule = "|".join(["---"] * left + ["---:"] * (len(header) - left))
    return "\n".join([f"| {' | '.join(header)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)])
