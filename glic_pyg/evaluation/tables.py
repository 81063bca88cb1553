"""Tables: the one place that formats numbers as cells and prints tables, in Markdown or on the terminal."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean

from rich.console import Console
from rich.table import Table

from glic_pyg.evaluation.bd_rate import Delta
from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.measure import Measurement
from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.evaluation.summary import BDSummary, Mean, bd_summaries, comparable, mean_curves, means

__all__ = [
    "MEAN_HEADER",
    "NOTHING",
    "PEAK_NOTE",
    "bd_table",
    "image_table",
    "markdown_table",
    "mean_cell",
    "mean_rows",
    "number_cell",
    "percent_cells",
    "print_table",
    "sweep_page",
    "sweep_table",
]

NOTHING = "–"
"""A cell without a number."""

MEAN_HEADER = (
    "codec", "setting", "bytes", "bpp", "PSNR, dB", "MS-SSIM", "MS-SSIM, dB",
    "encode, s", "decode, s", "peak, MiB",
)  # fmt: skip
PEAK_NOTE = "peak: of the whole process, Python and torch included; of a tool its own process"
_WIDTH_WITHOUT_TERMINAL = 200
Row = tuple[str, ...]


def number_cell(value: float | None, form: str) -> str:
    """A number in a format; ∞ if infinite, a dash if ``None`` or NaN."""
    if value is None or math.isnan(value):
        return NOTHING
    return format(value, form) if math.isfinite(value) else "∞" if value > 0 else "−∞"


def mean_cell(value: float | None, form: str, count: int, images: int) -> str:
    """A mean, with the number of images that it is over if that is not all of them.

    Args:
        value, form: as for :func:`number_cell`.
        count: images that the mean is over.
        images: all images.
    """
    cell = number_cell(value, form)
    return f"{cell} (of {count})" if 0 < count < images else cell


def percent_cells(delta: Delta | None) -> tuple[str, str]:
    """Cells of a BD-rate and of its overlap, both in percent."""
    return (NOTHING, NOTHING) if delta is None else (f"{delta.value:+.1f}", f"{delta.overlap:.0%}"[:-1])


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A Markdown table without a final line break; whatever cells contain, a row stays one row.

    Args:
        header: names of the columns.
        rows: as many cells as columns.
        left: number of left-aligned columns; the others are aligned to the right.
    """
    rule = "|" + "---|" * left + "---:|" * (len(header) - left)
    cells = ([" ".join(cell.split()).replace("|", r"\|") for cell in row] for row in (header, *rows))
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], rule, *lines[1:]])


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    markdown: bool = False,
    left: int = 1,
    title: str | None = None,
    caption: str | None = None,
    groups: Collection[int] = (),
) -> None:
    """Print a table; on a narrow terminal cells are wrapped.

    Args:
        header, rows, left: as for :func:`markdown_table`.
        markdown: print Markdown, for a page.
        title, caption: above and below a table on the terminal.
        groups: numbers of the rows that begin a group; these are bold.
    """
    if markdown:
        print(markdown_table(header, rows, left=left))
        return
    table = Table(title=title, caption=caption, box=None, header_style="bold", pad_edge=False)
    table.caption_justify = "left"
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number < left else "right")
    for number, row in enumerate(rows):
        if number and number in groups:
            table.add_section()
        table.add_row(*row, style="bold" if number in groups else None)
    console = Console(highlight=False, markup=False, emoji=False)  # names are printed as they are
    console.width = console.width if console.is_terminal else max(console.width, _WIDTH_WITHOUT_TERMINAL)
    console.print(table)


def mean_rows(comparisons: Sequence[Comparison]) -> list[Row]:
    """Cells of the means, a row per operating point, below :data:`MEAN_HEADER`."""
    return [_row(mean, *_mean_quality(mean)) for mean in means(comparisons)]


def sweep_table(comparisons: Sequence[Comparison], codec: str | None = None) -> str:
    """Means of one codec at each operating point, and its gain there over each other codec at equal rate.

    Args:
        comparisons: one per image.
        codec: its name; default: that of the codec that was measured first.
    """
    name = codec or comparisons[0].ours.codec
    others = [curve for curve in mean_curves(comparisons) if curve.name != name]
    header = ("setting", "bytes", "bpp", "PSNR, dB", "MS-SSIM", "MS-SSIM, dB", "encode, s", "decode, s")
    rows = []
    for mean, compared in zip(means(comparisons), means(comparable(comparisons)), strict=True):
        if mean.codec != name:
            continue
        theirs = [curve.front().psnr_at(compared.bpp) for curve in others]
        gains = [NOTHING if psnr is None else number_cell(compared.psnr - psnr, "+.2f") for psnr in theirs]
        rows.append((*_row(mean, *_mean_quality(mean))[1:-1], *gains))
    return markdown_table([*header, *(curve.name for curve in others)], rows)


def bd_table(summaries: Iterable[BDSummary], versions: Mapping[str, str]) -> str:
    """Our codec against each other codec of the same run.

    Args:
        summaries: one per codec.
        versions: of the codecs, by title; may lack some.
    """
    header = (
        "against", "BD-rate, %", "overlap, %", "BD-rate at equal MS-SSIM, %", "overlap, %", "BD-PSNR, dB",
        "by image, dB", "better on",
    )  # fmt: skip
    rows = [
        (
            " · ".join(filter(None, (s.other, versions.get(s.other)))),
            *percent_cells(s.bd_rate),
            *percent_cells(s.bd_rate_ms_ssim),
            number_cell(s.bd_psnr and s.bd_psnr.value, "+.2f"),
            f"{fmean(s.gains):+.2f} ({min(s.gains):+.2f} … {max(s.gains):+.2f})" if s.gains else NOTHING,
            f"{s.wins} of {len(s.gains)}" if s.gains else NOTHING,
        )
        for s in summaries
    ]
    return markdown_table(header, rows)


def image_table(sets: Mapping[str, Sequence[Comparison]], middle: int) -> str:
    """Every image: our file at the middle operating point, and BD-rates against each other codec.

    Args:
        sets: comparisons by the name of the data set, all of the same codecs.
        middle: number of the operating point.
    """
    names = [summary.other for summary in bd_summaries(next(iter(sets.values())))]
    header = ("image", "pixels", "bytes", "bpp", "PSNR, dB", "MS-SSIM", *names)
    rows = []
    for name, comparisons in sets.items():
        summaries = bd_summaries(comparisons)
        for c in comparisons:
            m = c.codecs[middle]
            rows.append((
                c.image if len(sets) == 1 else f"{name}/{c.image}", f"{c.width}×{c.height}",
                f"{m.size:,}", f"{m.bpp:.4f}",
                number_cell(m.quality.psnr, ".3f"), number_cell(m.quality.ms_ssim, ".5f"),
                *(percent_cells(summary.bd_rate_by_image[c.image])[0] for summary in summaries),
            ))  # fmt: skip
    return markdown_table(header, rows)


def sweep_page(comparisons: Sequence[Comparison], how: Provenance) -> str:
    """A Markdown page: the means, our codec against the others, and a table for every image."""
    parts = [
        f"# Mean of {len(comparisons)} images\n",
        markdown_table(MEAN_HEADER, mean_rows(comparisons), left=2),
    ]
    if summaries := bd_summaries(comparisons):
        ours = comparisons[0].ours.codec
        parts += [f"\n## {ours} against the others\n", bd_table(summaries, {})]
        parts += [f"\n## {ours} at each setting\n", sweep_table(comparisons)]
    for c in comparisons:
        rows = [
            _row(
                m,
                number_cell(m.quality.psnr, ".3f"),
                number_cell(m.quality.ms_ssim, ".5f"),
                number_cell(m.quality.ms_ssim_db, ".3f"),
            )
            for m in c.codecs
        ]
        parts += [f"\n## {c.image}, {c.width}×{c.height}\n", markdown_table(MEAN_HEADER, rows, left=2)]
    return "\n".join([*parts, f"\n{PEAK_NOTE}\n\n```\n{how}\n```\n"])


def _mean_quality(mean: Mean) -> tuple[str, str, str]:
    return (
        mean_cell(mean.psnr, ".3f", mean.psnr_images, mean.images),
        mean_cell(mean.ms_ssim, ".5f", mean.ms_ssim_images, mean.images),
        mean_cell(mean.ms_ssim_db, ".3f", mean.ms_ssim_db_images, mean.images),
    )


def _row(measured: Measurement | Mean, psnr: str, ms_ssim: str, ms_ssim_db: str) -> Row:
    return (
        measured.codec,
        measured.setting or "various",
        f"{measured.size:,.0f}",
        f"{measured.bpp:.4f}",
        psnr,
        ms_ssim,
        ms_ssim_db,
        f"{measured.encode_seconds:.2f}",
        f"{measured.decode_seconds:.2f}",
        number_cell(measured.peak_memory and measured.peak_memory / 2**20, ",.0f"),
    )
