"""The sections of docs/leaderboard.md."""

from __future__ import annotations

from collections.abc import Sequence

from glic_pyg.evaluation.bd_rate import bd_rate
from glic_pyg.evaluation.provenance import Provenance
from glic_pyg.evaluation.published import ANCHORS, PublishedCurve, mean_mse_curves, published_curves
from glic_pyg.evaluation.tables import NOTHING, markdown_table, number_cell
from studies.leaderboard.field import Complexity, DecoderCost, complexities, stated
from studies.leaderboard.rows import SETS, Row, Size, size_of
from studies.page import Cell
from studies.rate_distortion import SEARCHED

__all__ = ["DATA", "data_rows", "efficiency_section", "leaderboard_section"]

DATA = (
    "codec", "points", "set", "against", "bd_rate_percent", "overlap", "decoder_kmac_least",
    "decoder_kmac_most", "decoder_kmac_from", "licence", "source",
)  # fmt: skip
"""Columns of the leaderboard as data: a row for each codec, set and anchor."""

_READING = """\
Each column is the rate beyond an anchor at equal PSNR in percent; below 0 is better. **Bold is measured
here** (the shipped weights, of the size `glic_s`, and classical codecs), the rest is computed from points
that others published. {first} and {second}, on CLIC VTM-17.0, are different encoders run by different people
([who](evaluation.md#published-points-and-two-anchors)): compare within a column. kMAC/px are the decoder's
thousand multiply-adds a pixel, as somebody states them, or counted here (*); "<": of encoder and decoder
together; a range: the least and the most that is stated. The same to point at, to search and to sort, with
the licence and the sources of every row: [leaderboard.html](images/leaderboard.html); as data:
[results-data.md](results-data.md)."""

_LEFT_OUT = """\
BD-rates in percent as the authors state them, each against its own anchor. CMIC, WeConvene and QARV stand
here only: the places that publish their points allow no reuse. (SegPIC, Neural-Syntax, QRes-VAE and
Shallow-NTC are left out for that reason, too.) What differs from the table above is the anchor first of
all: DCAE's and FTIC's numbers on CLIC need one that is 2 to 3 points weaker than the VTM-9.1 there."""

_MEAN_MSE = """\
Cool-chic's authors average squared errors over the images where nearly all others, and all anchors, average
PSNRs. That alone moves a BD-rate by several points, so only the first column is like for like:"""

_EFFICIENCY = """\
The paper's own table (GLIC beside MambaIC, FTIC and TCM-L) could not be read, so here is what others state
about these codecs and some more: *published*, a table for each of those who measured it, because they
disagree by method: compare within one table only. Ours follow below, *measured here*."""

_OURS = """\
*Measured here*: parameters and multiply-adds are counted (`benchmarks/flops.py`: convolutions, linear maps,
attention, graphs) for an image of 768×512; seconds and memory are those of
[results.md](results.md#time-and-memory), on the machine that is named there (two CPU cores) in float32, and
are not to be set beside seconds of a GPU. `glic` is the released architecture; sizes without a BD-rate have
no weights in the package."""

FIELD = (
    "GLIC",
    "MambaIC",
    "FTIC",
    "TCM-L",
    "MLIC++",
    "HPCM-Large",
    "HPCM-Base",
    "DCAE",
    "LALIC",
    "CMIC",
    "ELIC",
)
"""Codecs of the efficiency table: those of the paper, then the leaders."""


def leaderboard_section(rows: Sequence[Row], how: Provenance) -> str:
    """Figure, table, what authors state, and two ways to average.

    Args:
        rows: of the leaderboard.
        how: command, machine, date.
    """
    first, second = ANCHORS["kodak"]
    header = (
        "codec",
        "BD-rate",
        *(f"{name}: {a}" for name in SETS for a in ANCHORS[name]),
        "kMAC/px",
        "source",
    )
    table = [
        (
            f"**{row.name}**" if row.measured else row.name,
            "measured" if row.measured else "published",
            *(_cell(row, name, place) for name in SETS for place in range(2)),
            _cost(row.cost, row.cost_counted),
            row.sources,
        )
        for row in rows
    ]
    theirs = [
        (entry.codec, entry.anchor, *(number_cell(entry.bd_rate.get(name), "+.2f") for name in SETS))
        for entry in stated()
    ]
    return "\n\n".join([
        "## BD-rate and complexity of the decoder",
        "![BD-rate over decoder operations on Kodak](images/leaderboard.png)",
        _READING.format(first=first, second=second),
        markdown_table(header, table, left=2),
        "### What authors state",
        _LEFT_OUT,
        markdown_table(("codec", "stated against", *SETS), theirs, left=2),
        "### Two ways to average",
        _MEAN_MSE,
        _mean_mse_table(),
        f"```\n{how}\n```",
    ])  # fmt: skip


def data_rows(rows: Sequence[Row]) -> list[list[Cell]]:
    """Every BD-rate with what the decoder costs, below :data:`DATA`.

    ``decoder_kmac_from`` is ``stated`` by others or ``counted`` here, of the decoder, or ``stated of both``
    where it is of encoder and decoder together.
    """
    return [
        [
            row.name, "measured" if row.measured else "published", data_set, anchor,
            *((None, None) if delta is None else (delta.value, delta.overlap)), *_cost_cells(row),
            curve.licence if isinstance(curve, PublishedCurve) else "MIT", curve.source,
        ]
        for row in rows
        for data_set, curve in row.curves.items()
        for anchor, delta in zip(ANCHORS[data_set], row.deltas[data_set], strict=True)
    ]  # fmt: skip


def efficiency_section(rows: Sequence[Row], sizes: Sequence[Size], how: Provenance) -> str:
    """Parameters, operations, seconds and memory: published ones, and ours apart.

    Args:
        rows: of the leaderboard.
        sizes: ours.
        how: command, machine, date.
    """
    entries = [
        entry for name in FIELD for entry in complexities() if entry.codec == name and entry.measured_by
    ]
    authors = sorted(
        {entry.measured_by for entry in entries}, key=[e.measured_by for e in complexities()].index
    )
    authors = [name for name in authors if sum(entry.measured_by == name for entry in entries) > 1]
    authors.sort(
        key=lambda name: -sum(entry.codec in FIELD[:4] for entry in entries if entry.measured_by == name)
    )
    return "\n\n".join([
        "## Efficiency",
        _EFFICIENCY,
        *(_published_table([entry for entry in entries if entry.measured_by == name]) for name in authors),
        "### Ours",
        _OURS,
        _our_table(rows, sizes),
        f"```\n{how}\n```",
    ])  # fmt: skip


def _cell(row: Row, data_set: str, place: int) -> str:
    found = row.deltas.get(data_set, (None, None))[place]
    return NOTHING if found is None else f"{found.value:+.1f}"


def _cost_cells(row: Row) -> tuple[Cell, Cell, Cell]:
    if row.cost is None:
        return None, None, None
    origin = "counted" if row.cost_counted else "stated of both" if row.cost.whole else "stated"
    return row.cost.low, row.cost.high, origin


def _cost(cost: DecoderCost | None, counted: bool) -> str:
    if cost is None:
        return NOTHING
    low, high = (f"{value:.0f}" if value >= 100 else f"{value:.3g}" for value in (cost.low, cost.high))
    span = low if low == high else f"{low}–{high}"
    span = (
        span
        if cost.high < 1000
        else f"{cost.low:.0f}"
        if cost.low == cost.high
        else f"{cost.low:.0f}–{cost.high:.0f}"
    )
    return f"{'< ' if cost.whole else ''}{span}{'*' if counted else ''}"


def _mean_mse_table() -> str:
    rows = []
    for data_set in ("kodak", "clic-pro-valid"):
        curves = published_curves(data_set)
        anchor = curves[ANCHORS[data_set][0]]
        for name, curve in mean_mse_curves(data_set).items():
            values = (bd_rate(anchor, curves[name]).value, bd_rate(anchor, curve).value)
            rows.append((name, data_set, *(f"{value:+.1f}" for value in values)))
    return markdown_table(("codec", "images", "mean of PSNRs, %", "PSNR of the mean error, %"), rows, left=2)


def _published_table(entries: Sequence[Complexity]) -> str:
    """What one group of authors states, without the columns that they leave empty."""
    columns = {
        "parameters, M": [number_cell(e.parameters_m, ".2f") for e in entries],
        "TFLOPs": [number_cell(e.tflops, ".2f") for e in entries],
        "kMAC/px: encode": [number_cell(e.kmac_encode, ".0f") for e in entries],
        "kMAC/px: decode": [
            _cost(e.kmac_decode and DecoderCost(*e.kmac_decode, False, ()), False) for e in entries
        ],
        "kMAC/px: both": [number_cell(e.kmac, ".0f") for e in entries],
        "encode, s": [_seconds(e.encode_s) for e in entries],
        "decode, s": [_seconds(e.decode_s) for e in entries],
        "memory, GB": [number_cell(e.memory_gb, ".2f") for e in entries],
        "note": [e.note or NOTHING for e in entries],
    }
    columns = {name: cells for name, cells in columns.items() if set(cells) != {NOTHING}}
    first = entries[0]
    image = f"; image: {first.image}" if first.image else ""
    device = first.device or "not stated"
    title = f"Published by the {first.measured_by} ({first.source}{image}; device: {device}):"
    rows = [(e.codec, *(cells[place] for cells in columns.values())) for place, e in enumerate(entries)]
    return f"{title}\n\n{markdown_table(('codec', *columns), rows)}"


def _seconds(pair: tuple[float, float] | None) -> str:
    if pair is None:
        return NOTHING
    return f"{pair[0]:.3g}" if pair[0] == pair[1] else f"{pair[0]:.3g}–{pair[1]:.3g}"


def _our_table(rows: Sequence[Row], sizes: Sequence[Size]) -> str:
    reached = {size_of(row.name): row.first for row in rows if row.measured and SEARCHED not in row.name}
    header = (
        "size", "BD-rate on Kodak against VTM-9.1, %", "parameters, M", "GMAC: encode", "decode",
        "kMAC/px: encode", "decode", "encode, s", "decode, s", "memory, MB: encode", "decode",
    )  # fmt: skip
    pixels = 768 * 512
    columns = ("whole encode, s", "whole decode, s", "memory, MB: encode", "memory, MB: decode")
    table = [
        (
            f"`{size.name}`",
            number_cell(reached.get(size.name), "+.1f"),
            f"{size.parameters / 1e6:.2f}",
            *(f"{macs / 1e9:.3g}" for macs in (size.encode, size.decode)),
            *(f"{macs / pixels / 1e3:.3g}" for macs in (size.encode, size.decode)),
            *(size.measured.get(name, NOTHING).split(" ")[0] for name in columns),
        )
        for size in sizes
    ]
    return markdown_table(header, table)
