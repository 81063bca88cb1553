"""BD-rate over the decoder's operations, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from glic_pyg.plotting import encode_figure, styled_figure
from studies.leaderboard.rows import Row, Size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase

__all__ = ["complexity_figure"]

BREAK, TOP = 16.0, 105.0
"""BD-rates in percent where the lower, larger half of the figure ends, and where the upper one does."""


class _Look(NamedTuple):
    label: str
    marker: str
    colour: str
    fill: str


_DECODER = _Look("published, decoder", "o", "#0072B2", "#0072B2")
_WHOLE = _Look("published, encoder and decoder together", "<", "#0072B2", "white")
_COUNTED = _Look("BD-rate published, operations counted here", "D", "#D55E00", "white")
_MEASURED = _Look("measured here", "*", "#D55E00", "#D55E00")


def complexity_figure(rows: Sequence[Row], sizes: Sequence[Size], *, kind: str = "png") -> bytes:
    """Draw every codec of which both numbers are known on Kodak, against the first anchor.

    Published and measured ones have different marks; our sizes without a curve stand at the upper edge.

    Args:
        rows: of the leaderboard.
        sizes: ours.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    known = [row for row in rows if row.cost is not None and row.first is not None and row.first < TOP]
    with styled_figure(8.6, 6.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3))
        for axes in (upper, lower):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
        upper.set(ylim=(BREAK, TOP), title="Kodak: rate beyond VTM-9.1 at equal PSNR")
        least = min((_rate(row) for row in known), default=0)
        lower.set(
            ylim=(least - 3, BREAK), ylabel="BD-rate, %", xlabel="decoder, thousand multiply-adds a pixel"
        )
        lower.axhline(0, color="#888888", lw=1)
        lower.annotate(
            "VTM-9.1", (0.005, 0), (0, 3), ("axes fraction", "data"), "offset points", fontsize=7.5
        )
        for axes, low, high in ((lower, -100.0, BREAK), (upper, BREAK, TOP)):
            inside = [row for row in known if low <= _rate(row) < high]
            for row in inside:
                _mark(axes, row)
        _untrained(
            upper, [s for s in sizes if s.name not in {row.name for row in known} and s.name != "glic"]
        )
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # labels need to know where everything is
        for axes, low, high in ((lower, -100.0, BREAK), (upper, BREAK, TOP)):
            _label(axes, [row for row in known if low <= _rate(row) < high], canvas.get_renderer())
        for look in (_DECODER, _WHOLE, _COUNTED, _MEASURED):
            lower.plot(
                [],
                [],
                look.marker,
                color=look.colour,
                mfc=look.fill,
                ms=9 if look is _MEASURED else 6,
                label=look.label,
            )
        lower.legend(loc="lower left", fontsize=8, frameon=True, edgecolor="none", framealpha=0.9)
        return encode_figure(figure, kind)


def _look(row: Row) -> _Look:
    if row.measured:
        return _MEASURED
    if row.cost_counted:
        return _COUNTED
    return _WHOLE if row.cost is not None and row.cost.whole else _DECODER


def _mark(axes: Axes, row: Row) -> None:
    """A mark at the geometric middle of what is stated, with a line over the range."""
    assert row.cost is not None
    look = _look(row)
    if row.cost.high > row.cost.low:
        axes.plot((row.cost.low, row.cost.high), (_rate(row), _rate(row)), color=look.colour, lw=1)
    size = 14 if row.measured else 6
    axes.plot(_middle(row), _rate(row), look.marker, color=look.colour, mfc=look.fill, ms=size, zorder=3)


def _rate(row: Row) -> float:
    assert row.first is not None
    return row.first


def _middle(row: Row) -> float:
    assert row.cost is not None
    return float((row.cost.low * row.cost.high) ** 0.5)


def _untrained(axes: Axes, sizes: Sequence[Size]) -> None:
    for size in sizes:
        kmac = size.cost.low
        axes.plot(kmac, 0.97, "v", color="#D55E00", mfc="white", ms=6, transform=axes.get_xaxis_transform())
        axes.annotate(
            f"{size.name}, no weights", (kmac, 0.97), (0, -7), xycoords=axes.get_xaxis_transform(),
            textcoords="offset points", fontsize=7, color="#D55E00", rotation=90, ha="center", va="top",
        )  # fmt: skip


def _label(axes: Axes, rows: Sequence[Row], renderer: RendererBase) -> None:
    """Write names beside the marks, each where it covers the fewest marks and names."""
    from matplotlib.transforms import Bbox

    points = axes.transData.transform([(_middle(row), _rate(row)) for row in rows])
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in points]
    taken += [text.get_window_extent(renderer) for text in axes.texts]
    ends = axes.transData.transform(
        [(kmac, _rate(row)) for row in rows if row.cost for kmac in (row.cost.low, row.cost.high)]
    )
    taken += [Bbox.from_extents(*low, *(high + 1)) for low, high in zip(ends[::2], ends[1::2], strict=True)]
    for row in rows:
        colour = "#D55E00" if row.measured or row.cost_counted else "#444444"
        weight = "bold" if row.measured or row.cost_counted else "normal"
        text = axes.annotate(
            row.name.replace(" (official, 10 points)", ""), (_middle(row), _rate(row)), (0, 0),
            textcoords="offset points", fontsize=7.5, color=colour, weight=weight, va="center",
        )  # fmt: skip
        best = None
        for x, y, side in _PLACES:
            text.set_position((x, y))
            text.set_horizontalalignment(side)
            box = text.get_window_extent(renderer)
            outside = not axes.bbox.containsx(box.x0) or not axes.bbox.containsx(box.x1)
            cost = sum(box.overlaps(other) for other in taken) + 5 * outside
            if best is None or cost < best[0]:
                best = (cost, x, y, side, box)
        assert best is not None
        text.set_position((best[1], best[2]))
        text.set_horizontalalignment(best[3])
        taken.append(best[4])


_PLACES = [
    (x, y, side)
    for y in (0, 8, -8, 16, -16, 24, -24)
    for x, side in ((8, "left"), (-8, "right"), *(((0, "center"),) if y else ()))
]
"""Offsets in points of a name from its mark, and how it is aligned."""
