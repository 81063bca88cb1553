"""The sections of docs/results.md that ``make results`` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from glic_pyg.evaluation.bd_rate import Delta, bd_psnr, bd_rate, delta_or_none
from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.curves import Curve
from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.evaluation.summary import bd_summaries, mean_curves
from glic_pyg.evaluation.tables import (
    bd_table,
    image_table,
    markdown_table,
    number_cell,
    percent_cells,
    sweep_table,
)
from studies.rate_distortion import SEARCHED
from studies.results.measurement_cache import Origin

__all__ = [
    "ANCHOR",
    "DATA_NOTE",
    "AgainstAnchor",
    "Context",
    "against_anchor",
    "anchor_table",
    "kodak_section",
    "ood_section",
]


_READING = """\
BD-rate is what ours spends beyond the other codec at equal PSNR, so below 0 is better. Overlap: the part
of the decibels covered by either curve that both cover; a delta speaks for that part only. "By image":
gain at equal bytes, mean (least … most). "Better on" counts the images with more PSNR in our file at
equal bytes."""

_KODAK = """\
The {count} photographs, which no training has seen: `{ours}` and classical codecs in one run, every
number from a file that was written, read and decoded. How each codec is run:
[evaluation.md](evaluation.md). What is called published are others' own numbers. The same curves to point
at: [results-kodak.html](images/results-kodak.html)."""

_OOD = """\
What `{ours}` does on images unlike those it was trained on.{used} Where it loses, `glic encode --check`
says so for the very image."""

DATA_NOTE = "The same as data: [results-data.md](results-data.md)."

_STEPS = """\
Our operating points, means over the images. On the right: what ours gains at the same rate over each other
codec, in dB, where its rate sweep reaches."""


_SEARCHED = ". The weights and the decoder are ours; the encoder searches ([effort.md](effort.md))"


@dataclass(frozen=True)
class Context:
    """What every section states about its measurements.

    Attributes:
        learned: names of the learned codecs, ours first; others are our codec at an effort, or other weights.
        setting: of our middle operating point, such as ``"quality 45"``.
        middle: its number.
        versions: of the baselines, by title.
        missing: sentences about baselines that were left out.
        how: command, machine, date.
        origins: where and when the measurements were made.
    """

    learned: Sequence[str]
    setting: str
    middle: int
    versions: Mapping[str, str]
    missing: Sequence[str]
    how: Provenance
    origins: Sequence[Origin]

    @property
    def ours(self) -> str:
        """Name of our codec."""
        return self.learned[0]

    def footer(self) -> str:
        """How it was measured; what did not change is taken from earlier runs."""
        origins = "".join(f"\nmeasured: {origin.date} on {origin.machine}" for origin in self.origins)
        return f"```\n{self.how}{origins}\n```"


def kodak_section(
    comparisons: Sequence[Comparison], published: Mapping[str, Curve], crops: str, context: Context
) -> str:
    """The section in Markdown.

    Args:
        comparisons: one per image.
        published: curves by others; empty unless these are all 24 images, as means must be over the same.
        crops: name of the image in the crop sheet.
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
        parts += [
            f"Against {ANCHOR}'s published points (many more codecs: [leaderboard.md](leaderboard.md)):",
            anchor_table(against_anchor(measured, published)),
        ]
    parts += [
        "Against what was measured in the same run:",
        bd_table(bd_summaries(comparisons), context.versions),
        _READING,
        _STEPS,
        sweep_table(comparisons),
        *_other_learned(comparisons, context),
        _every_image(context),
        image_table({"kodak": comparisons}, context.middle),
        f"A detail of {crops}, the image of median gain over WebP, at equal bytes:",
        "![Details at equal bytes](images/results-kodak-crops.png)",
        DATA_NOTE,
        context.footer(),
    ]
    return "\n\n".join(parts)


def ood_section(
    sets: Mapping[str, Sequence[Comparison]], worst: str, side: int | None, context: Context
) -> str:
    """The section in Markdown.

    Args:
        sets: comparisons by the name of the set.
        worst: name of the image in the crop sheet.
        side: of the centre that was used of larger images, in pixels; ``None`` if they were used whole.
        context: see :class:`Context`.
    """
    used = f" Of larger images the centre of {side}×{side} pixels is used, by every codec." if side else ""
    parts = [
        "## Out of domain",
        " ".join([_OOD.format(ours=context.ours, used=used), *context.missing]),
        "![Gains at equal bytes](images/results-ood-bars.png)",
        f"Bars are means over the images of a set, dots are images. {_READING}",
    ]
    everything = [comparison for comparisons in sets.values() for comparison in comparisons]
    for name, comparisons in {**sets, "overall": everything}.items():
        parts += [
            f"### {name.capitalize()}: {len(comparisons)} images",
            bd_table(bd_summaries(comparisons), {}),
            sweep_table(comparisons),
        ]
    parts += [
        "### Image by image",
        _every_image(context),
        image_table(sets, context.middle),
        f"A detail of {worst}, where ours loses most against WebP, at equal bytes:",
        "![Details at equal bytes](images/results-ood-crops.png)",
        DATA_NOTE,
        context.footer(),
    ]
    return "\n\n".join(parts)


def _other_learned(comparisons: Sequence[Comparison], context: Context) -> list[str]:
    parts = []
    for codec in context.learned[1:]:
        parts += [
            f"`{codec}` beside the same codecs, and at each of its operating points"
            f"{_SEARCHED if SEARCHED in codec else ''}:",
            bd_table(bd_summaries(comparisons, codec), context.versions),
            sweep_table(comparisons, codec),
        ]
    return parts


def _every_image(context: Context) -> str:
    return f"Every image: our file at {context.setting}, and our BD-rate against each codec, in %."


ANCHOR = "VTM-9.1"


@dataclass(frozen=True)
class AgainstAnchor:
    """A curve against the published points of VTM-9.1.

    Attributes:
        curve: of the codec.
        measured: here, and not published by others.
        rate, gain: BD-rate in percent and BD-PSNR in dB; ``None`` where the curves do not overlap.
    """

    curve: Curve
    measured: bool
    rate: Delta | None
    gain: Delta | None


def against_anchor(measured: Sequence[Curve], published: Mapping[str, Curve]) -> list[AgainstAnchor]:
    """Every curve against the published points of VTM-9.1, the best first.

    Args:
        measured: curves of means over the same images as the published ones.
        published: by name.
    """
    curves = [(curve, True) for curve in measured]
    curves += [(replace(curve, name=name), False) for name, curve in published.items() if name != ANCHOR]
    anchor = published[ANCHOR]
    found = [
        AgainstAnchor(
            curve, here, delta_or_none(bd_rate, anchor, curve), delta_or_none(bd_psnr, anchor, curve)
        )
        for curve, here in curves
    ]
    return sorted(found, key=lambda row: (row.rate is None, row.rate.value if row.rate else 0))


def anchor_table(found: Sequence[AgainstAnchor]) -> str:
    """What :func:`against_anchor` found; measured ones in bold."""
    header = ("codec", "points", "BD-rate, %", "overlap, %", "BD-PSNR, dB")
    rows = [
        (
            f"**{row.curve.name}**" if row.measured else row.curve.name,
            "measured here" if row.measured else "published",
            *percent_cells(row.rate),
            number_cell(row.gain and row.gain.value, "+.2f"),
        )
        for row in found
    ]
    return markdown_table(header, rows, left=2)
