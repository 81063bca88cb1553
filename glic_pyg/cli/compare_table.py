"""The tables that ``glic compare`` and ``glic demo`` print: for a terminal, or for a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glic_pyg.evaluation.comparison import Comparison
    from glic_pyg.evaluation.measure import Measurement
    from glic_pyg.evaluation.provenance import Provenance

__all__ = ["print_comparisons"]

_HEADER = (
    "image", "codec", "bytes", "bpp", "PSNR, dB", "ours by, dB",
    "MS-SSIM", "MS-SSIM, dB", "encode, s", "decode, s",
)  # fmt: skip
Row = tuple[str, ...]


def print_comparisons(comparisons: Sequence[Comparison], how: Provenance, *, markdown: bool = False) -> None:
    """Print every image and the mean, whether files are as large as predicted, and how it was measured.

    Args:
        comparisons: at least one.
        how: printed below.
        markdown: a Markdown table of the same cells.
    """
    from glic_pyg.evaluation.tables import print_table

    groups = [_rows(c.image, c.codecs) for c in comparisons]
    if len(comparisons) > 1:
        groups.append(_mean_rows(comparisons))
    starts = list(accumulate((len(rows) for rows in groups[:-1]), initial=0))
    rows = [row for group in groups for row in group]
    print_table(_HEADER, rows, markdown=markdown, left=2, groups=starts)
    if markdown:
        print()
    print(_estimates(comparisons))
    print(how)


def _rows(image: str, codecs: Sequence[Measurement]) -> list[Row]:
    from glic_pyg.evaluation.tables import number_cell

    ours = codecs[0].quality.psnr
    return [
        (
            image if m is codecs[0] else "",
            f"{m.codec} ({m.setting})",
            f"{m.size:,}",
            f"{m.bpp:.4f}",
            number_cell(m.quality.psnr, ".3f"),
            "" if m is codecs[0] else number_cell(ours - m.quality.psnr, "+.3f"),
            number_cell(m.quality.ms_ssim, ".5f"),
            number_cell(m.quality.ms_ssim_db, ".3f"),
            f"{m.encode_seconds:.2f}",
            f"{m.decode_seconds:.2f}",
        )
        for m in codecs
    ]


def _mean_rows(comparisons: Sequence[Comparison]) -> list[Row]:
    from glic_pyg.evaluation.summary import comparable, means
    from glic_pyg.evaluation.tables import mean_cell, number_cell

    compared = means(comparable(comparisons))  # a gain is over the same images on both sides
    return [
        (
            "" if place else f"mean of {len(comparisons)}",
            mean.codec,
            f"{mean.size:,.0f}",
            f"{mean.bpp:.4f}",
            mean_cell(mean.psnr, ".3f", mean.psnr_images, mean.images),
            number_cell(compared[0].psnr - compared[place].psnr, "+.3f") if place else "",
            mean_cell(mean.ms_ssim, ".5f", mean.ms_ssim_images, mean.images),
            mean_cell(mean.ms_ssim_db, ".3f", mean.ms_ssim_db_images, mean.images),
            f"{mean.encode_seconds:.2f}",
            f"{mean.decode_seconds:.2f}",
        )
        for place, mean in enumerate(means(comparisons))
    ]


def _estimates(comparisons: Sequence[Comparison]) -> str:
    """One line: real bytes against what the likelihoods predict."""
    from glic_pyg.evaluation.summary import broken_estimates

    off = {c.image: c.ours.size - c.estimated_bits / 8 for c in comparisons if c.estimated_bits is not None}
    if not off:
        return "estimated bits: this codec makes no estimate"
    broken = broken_estimates(comparisons)
    worst = max(off, key=lambda image: abs(off[image]))
    verdict = f"NOT on {', '.join(broken)}" if broken else f"on all {len(off)} images"
    return (
        f"real bytes within 1 % + 64 bytes of the estimate: {verdict} "
        f"(largest difference {off[worst]:+.0f} bytes, {worst})"
    )
