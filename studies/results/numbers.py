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
"""Columns of what our codec spends and gains beside each other one; empty where curves do not overlap."""
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


def delta_rows(sets: Sets, how: Provenance) -> list[list[Cell]]:
    """Our codec against every other one, below :data:`DELTAS`."""
    return [
        [
            name, comparisons[0].ours.codec, summary.other, len(comparisons),
            *_pair(summary.bd_rate), *_pair(summary.bd_rate_ms_ssim), _pair(summary.bd_psnr)[0],
            *(f(summary.gains) if summary.gains else None for f in (_mean, min, max)), summary.wins,
            LICENCE, _source(how),
        ]
        for name, comparisons in sets.items()
        for summary in bd_summaries(comparisons)
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
    """One table of one row, for a front page: our BD-rates on one set.

    Args:
        deltas: rows of a file of :data:`DELTAS`, all of one set.
        anchored: rows of a file of :data:`AGAINST_ANCHOR`; ours among them, if there is one, adds a column.
    """
    first = deltas[0]
    columns = {row["against"]: row["bd_rate_percent"] for row in deltas}
    columns |= {row["against"]: row["bd_rate_percent"] for row in anchored if row["codec"] == first["codec"]}
    header = ("bytes at equal PSNR, in %, beside", *columns)
    cells = [number_cell(float(cell) if cell else None, "+.1f") for cell in columns.values()]
    title = f"`{first['codec']}`, {first['images']} images of {first['set'].capitalize()}"
    return markdown_table(header, [(title, *cells)])


def _source(how: Provenance) -> str:
    return f"measured here: make results, {how.date}"


def _pair(delta: Delta | None) -> tuple[float | None, float | None]:
    return (None, None) if delta is None else (delta.value, delta.overlap)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
