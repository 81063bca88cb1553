"""Tables of how the codec that was measured first stands against the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from glic_pyg.evaluation.bjontegaard_delta import Delta
from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.markdown_table import NOTHING, markdown_table, mean_cell, number_cell
from glic_pyg.evaluation.standing import Standing, mean_curves, standings
from glic_pyg.evaluation.summary import comparable, means

__all__ = ["percent", "picture_table", "rate_table", "standing_table"]


def standing_table(found: Iterable[Standing], versions: Mapping[str, str]) -> str:
    """Ours against each codec of the same run.

    Args:
        found: one a codec.
        versions: what each is, by its title; left out where there is none.
    """
    header = (
        "against", "BD-rate, %", "overlap, %", "BD-rate at equal MS-SSIM, %", "overlap, %", "BD-PSNR, dB",
        "by picture, dB", "better on",
    )  # fmt: skip
    rows = [
        (
            " · ".join(filter(None, (s.other, versions.get(s.other)))),
            *percent(s.rate),
            *percent(s.rate_by_similarity),
            _value(s.gain),
            _spread(s.known_gains),
            f"{s.won} of {len(s.known_gains)}" if s.known_gains else NOTHING,
        )
        for s in found
    ]
    return markdown_table(header, rows)


def rate_table(comparisons: Sequence[Comparison]) -> str:
    """Our means at every step, and what we gain there over each other codec at the same rate."""
    others = mean_curves(comparisons)[1:]
    name = comparisons[0].codecs[0].codec
    header = ("setting", "bytes", "bpp", "PSNR, dB", "MS-SSIM", "MS-SSIM, dB", "encode, s", "decode, s")
    rows = []
    for mean, compared in zip(means(comparisons), means(comparable(comparisons)), strict=True):
        if mean.codec != name:
            continue
        at = [curve.front().psnr_at(compared.bpp) for curve in others]
        rows.append((
            mean.setting or "various", f"{mean.size:,.0f}", f"{mean.bpp:.4f}",
            mean_cell(mean.psnr, ".3f", mean.psnr_images, mean.images),
            mean_cell(mean.ms_ssim, ".5f", mean.ms_ssim_images, mean.images),
            mean_cell(mean.ms_ssim_db, ".3f", mean.ms_ssim_db_images, mean.images),
            f"{mean.encode_seconds:.2f}", f"{mean.decode_seconds:.2f}",
            *(NOTHING if psnr is None else number_cell(compared.psnr - psnr, "+.2f") for psnr in at),
        ))  # fmt: skip
    return markdown_table([*header, *(curve.name for curve in others)], rows)


def picture_table(sets: Mapping[str, Sequence[Comparison]], middle: int) -> str:
    """Every picture: our file at the middle step, and BD-rates against each codec.

    Args:
        sets: comparisons by the name of the set, of the same codecs.
        middle: number of that step.
    """
    names = [standing.other for standing in standings(next(iter(sets.values())))]
    header = ("picture", "pixels", "bytes", "bpp", "PSNR, dB", "MS-SSIM", *names)
    rows = []
    for name, comparisons in sets.items():
        found = standings(comparisons)
        for c in comparisons:
            m = c.codecs[middle]
            shown = c.image if len(sets) == 1 else f"{name}/{c.image}"
            rows.append((
                shown, f"{c.width}×{c.height}", f"{m.size:,}", f"{m.bpp:.4f}",
                number_cell(m.quality.psnr, ".3f"), number_cell(m.quality.ms_ssim, ".5f"),
                *(percent(standing.of_pictures[c.image])[0] for standing in found),
            ))  # fmt: skip
    return markdown_table(header, rows)


def percent(delta: Delta | None) -> tuple[str, str]:
    """Cells of a BD-rate and of its overlap, in percent."""
    return (NOTHING, NOTHING) if delta is None else (f"{delta.value:+.1f}", f"{delta.overlap:.0%}"[:-1])


def _spread(gains: Sequence[float]) -> str:
    """Mean, least and most."""
    return f"{fmean(gains):+.2f} ({min(gains):+.2f} … {max(gains):+.2f})" if gains else NOTHING


def _value(delta: Delta | None) -> str:
    return NOTHING if delta is None else f"{delta.value:+.2f}"
