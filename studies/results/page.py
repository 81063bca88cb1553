"""The sections of docs/results.md that ``make results`` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glic_pyg.evaluation.bd_rate import bd_psnr, bd_rate, delta_or_none
from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.curves import Curve
from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.evaluation.summary import bd_summaries, mean_curves
from glic_pyg.evaluation.tables import (
    NOTHING,
    bd_table,
    image_table,
    markdown_table,
    percent_cells,
    sweep_table,
)
from studies.results.measurement_cache import Origin

__all__ = ["ANCHOR", "Context", "anchor_table", "kodak_section", "ood_section"]


_READING = """\
BD-rate is what ours spends beyond the other codec at equal PSNR, so below 0 is better. Overlap: the part
of the decibels covered by either curve that both cover; a delta speaks for that part only. "By picture":
gain at equal bytes, mean (least … most). "Better on" counts the pictures with more PSNR in our file at
equal bytes."""

_KODAK = """\
The {count} photographs, which no training has seen: `{ours}` and classical codecs in one run, every
number from a file that was written, read and decoded. How each codec is run:
[evaluation.md](evaluation.md). What is called published are others' own numbers. The same curves to point
at: [results-kodak.html](images/results-kodak.html)."""

_OOD = """\
What `{ours}` does on pictures unlike those it was trained on.{used} Where it loses, `glic encode --check`
says so for the very picture."""

_STEPS = """\
Our steps, means over the pictures. On the right: what ours gains at the same rate over each other codec,
in dB, where that codec's ladder reaches."""


@dataclass(frozen=True)
class Context:
    """What every section says of itself.

    Attributes:
        ours: name of our codec.
        step: name of our step that stands for the others, such as ``"quality 45"``.
        middle: its number.
        versions: what the classical codecs are, by title.
        missing: sentences about what was left out.
        how: command, machine, date.
        origins: where and when the measurements were made.
    """

    ours: str
    step: str
    middle: int
    versions: Mapping[str, str]
    missing: Sequence[str]
    how: Provenance
    origins: Sequence[Origin]

    def footer(self) -> str:
        """How it was measured: what did not change is taken from earlier runs."""
        origins = "".join(f"\nmeasured: {origin.date} on {origin.machine}" for origin in self.origins)
        return f"```\n{self.how}{origins}\n```"


def kodak_section(
    comparisons: Sequence[Comparison], published: Mapping[str, Curve], crops: str, context: Context
) -> str:
    """Markdown from the heading on.

    Args:
        comparisons: one a picture.
        published: curves of others on them; none if these are not all 24, as means are not alike then.
        crops: name of the picture in the crop sheet.
        context: see :class:`Context`.
    """
    introduction = _KODAK.format(count=len(comparisons), ours=context.ours)
    parts = [
        "## Rate and distortion on Kodak",
        " ".join([introduction, *context.missing]),
        "![PSNR over rate](images/results-kodak-psnr.png)",
        "![MS-SSIM over rate](images/results-kodak-ms-ssim.png)",
    ]
    if published:
        measured = mean_curves(comparisons)
        parts += [f"Against {ANCHOR}'s published points:", anchor_table(measured, published)]
    parts += [
        "Against what was measured in the same run:",
        bd_table(bd_summaries(comparisons), context.versions),
        _READING,
        _STEPS,
        sweep_table(comparisons),
        _every_picture(context),
        image_table({"kodak": comparisons}, context.middle),
        f"A detail of {crops}, the picture of median gain over WebP, at equal bytes:",
        "![Details at equal bytes](images/results-kodak-crops.png)",
        context.footer(),
    ]
    return "\n\n".join(parts)


def ood_section(
    sets: Mapping[str, Sequence[Comparison]], worst: str, side: int | None, context: Context
) -> str:
    """Markdown from the heading on.

    Args:
        sets: comparisons by the name of the set.
        worst: name of the picture in the crop sheet.
        side: at most so many pixels square was used of a picture; ``None`` for all.
        context: see :class:`Context`.
    """
    used = f" Of larger pictures the centre of {side}×{side} pixels is used, by every codec." if side else ""
    parts = [
        "## Out of domain",
        " ".join([_OOD.format(ours=context.ours, used=used), *context.missing]),
        "![Gains at equal bytes](images/results-ood-bars.png)",
        f"Bars are means over the pictures of a set, dots are pictures. {_READING}",
    ]
    everything = [comparison for comparisons in sets.values() for comparison in comparisons]
    for name, comparisons in {**sets, "overall": everything}.items():
        parts += [
            f"### {name.capitalize()}: {len(comparisons)} pictures",
            bd_table(bd_summaries(comparisons), {}),
            sweep_table(comparisons),
        ]
    parts += [
        "### Picture by picture",
        _every_picture(context),
        image_table(sets, context.middle),
        f"A detail of {worst}, where ours loses most against WebP, at equal bytes:",
        "![Details at equal bytes](images/results-ood-crops.png)",
        context.footer(),
    ]
    return "\n\n".join(parts)


def _every_picture(context: Context) -> str:
    return f"Every picture: our file at {context.step}, and our BD-rate against each codec, in %."


ANCHOR = "VTM-9.1"


def anchor_table(measured: Sequence[Curve], published: Mapping[str, Curve]) -> str:
    """Every curve against VTM-9.1's published points, the best first; measured ones in bold.

    Args:
        measured: curves of means over the same pictures as the published ones.
        published: by name.
    """
    curves = [(f"**{curve.name}**", "measured here", curve) for curve in measured]
    curves += [(name, "published", curve) for name, curve in published.items() if name != ANCHOR]
    found = [
        (
            delta_or_none(bd_rate, published[ANCHOR], curve),
            delta_or_none(bd_psnr, published[ANCHOR], curve),
            name,
            points,
        )
        for name, points, curve in curves
    ]
    found.sort(key=lambda row: (row[0] is None, row[0].value if row[0] else 0))
    header = ("codec", "points", "BD-rate, %", "overlap, %", "BD-PSNR, dB")
    rows = [
        (name, points, *percent_cells(rate), NOTHING if gain is None else f"{gain.value:+.2f}")
        for rate, gain, name, points in found
    ]
    return markdown_table(header, rows, left=2)
