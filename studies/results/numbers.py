"""Results as data: what the tables of docs/results.md are printed from, as TSV files in ``docs/data``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glic_pyg.evaluation.bd_rate import Delta
from glic_pyg.evaluation.comparison import Comparison
from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.evaluation.published import PublishedCurve
from glic_pyg.evaluation.summary import bd_summaries, means
from glic_pyg.evaluation.tables import markdown_table, number_cell
from studies.page import Cell
from studies.results.page import ANCHOR, AgainstAnchor

__all__ = ["AGAINST_ANCHOR", "DELTAS", "POINTS", "anchor_rows", "delta_rows", "point_rows", "row_of_bd_rates"]

POINTS = (
    "set", "codec", "setting", "images", "bytes", "bpp", "psnr_db", "ms_ssim", "ms_ssim_db",
    "encode_s", "decode_s", "licence", "source",
)  # fmt: skip
"""Columns of the operating points: means over the images of a set."""
DELTAS = (
    "set", "codec", "against", "images", "bd_rate_percent", "overlap", "bd_rate_ms_ssim_percent",
    "overlap_ms_ssim", "bd_psnr_db", "gain_db", "least_gain_db", "most_gain_db", "better_on", "licence",
    "source",
)  # fmt: skip
"""Columns of what a learned codec spends and gains beside another; empty where curves do not overlap."""
AGAINST_ANCHOR = (
    "set", "codec", "points", "against", "bd_rate_percent", "overlap", "bd_psnr_db", "licence", "source",
)  # fmt: skip
"""Columns of measured and published curves against one published anchor, the best first."""
LICENCE = "MIT"
"""Of what is measured here: that of the repository."""

Sets = Mapping[str, Sequence[Comparison]]


def point_rows(sets: Sets, how: Provenance) -> list[list[Cell]]:
    """Every codec at every operating point, below :data:`POINTS`.

    Args:
        sets: comparisons by the name of the set.
        how: command and date become the source.
    """
    return [
        [
            name, mean.codec, mean.setting, mean.images, mean.size, mean.bpp, mean.psnr, mean.ms_ssim,
            mean.ms_ssim_db, mean.encode_seconds, mean.decode_seconds, LICENCE, _source(how),
        ]
        for name, comparisons in sets.items()
        for mean in means(comparisons)
    ]  # fmt: skip


def delta_rows(sets: Sets, learned: Sequence[str], how: Provenance) -> list[list[Cell]]:
    """Each learned codec against every other codec, below :data:`DELTAS`."""
    return [
        [
            name, codec, summary.other, len(comparisons),
            *_pair(summary.bd_rate), *_pair(summary.bd_rate_ms_ssim), _pair(summary.bd_psnr)[0],
            *(f(summary.gains) if summary.gains else None for f in (_mean, min, max)), summary.wins,
            LICENCE, _source(how),
        ]
        for name, comparisons in sets.items()
        for codec in learned
        for summary in bd_summaries(comparisons, codec)
    ]  # fmt: skip


def anchor_rows(name: str, found: Sequence[AgainstAnchor], how: Provenance) -> list[list[Cell]]:
    """Every curve against the published anchor, below :data:`AGAINST_ANCHOR`.

    Args:
        name: of the set.
        found: by :func:`~studies.results.page.against_anchor`.
        how: command and date become the source of measured ones.
    """
    return [
        [
            name, row.curve.name, "measured" if row.measured else "published", ANCHOR, *_pair(row.rate),
            _pair(row.gain)[0], row.curve.licence if isinstance(row.curve, PublishedCurve) else LICENCE,
            _source(how) if row.measured else row.curve.source,
        ]
        for row in found
    ]  # fmt: skip


def row_of_bd_rates(deltas: Sequence[Mapping[str, str]], anchored: Sequence[Mapping[str, str]] = ()) -> str:
    """A table for a front page: BD-rates on one set, a row for each learned codec.

    Args:
        deltas: rows of a file of :data:`DELTAS`, all of one set.
        anchored: rows of a file of :data:`AGAINST_ANCHOR`; ours among them, if there are some, add a column.
    """
    learned = dict.fromkeys(row["codec"] for row in deltas)
    found = {
        (row["codec"], row["against"]): row["bd_rate_percent"]
        for row in (*deltas, *anchored)
        if row["codec"] in learned and row["against"] not in learned
    }
    columns = dict.fromkeys(against for _, against in found)
    images = f"{deltas[0]['images']} images of {deltas[0]['set'].capitalize()}"
    rows = []
    for codec in learned:
        values = [found.get((codec, against)) for against in columns]
        cells = [number_cell(float(value) if value else None, "+.1f") for value in values]
        rows.append((f"`{codec}`, {images}", *cells))
    return markdown_table(("bytes at equal PSNR, in %, beside", *columns), rows)


def _source(how: Provenance) -> str:
    return f"measured here: make results, {how.date}"


def _pair(delta: Delta | None) -> tuple[float | None, float | None]:
    return (None, None) if delta is None else (delta.value, delta.overlap)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
