"""Panels in rows and columns, all of the shape of the photo."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from glic_pyg.inspection.figures.drawing import figure_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["grid_figure"]

_PANEL = 3.3  # inches
_TITLE = 0.4  # inches above a panel
_LINE = 0.16  # inches of a line of the caption
_LETTERS = 14  # of the caption an inch


def grid_figure(
    rows: Sequence[Sequence[Callable[[Axes], None]]], size: tuple[int, int], kind: str, *, caption: str
) -> bytes:
    """A figure of panels; rows may be of different lengths.

    Args:
        rows: what draws each panel, given its axes.
        size: height and width of the photo, for the shape of the panels.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
        caption: a sentence or two below, what one has to know to read it.
    """
    columns, panel_height = max(map(len, rows)), _PANEL * size[0] / size[1] + _TITLE
    lines = textwrap.wrap(caption, int(_LETTERS * _PANEL * columns))

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(rows), columns, squeeze=False)
        for axes in panels.flat:
            axes.set_axis_off()
        for line, drawn in zip(panels, rows, strict=True):
            for axes, draw_panel in zip(line, drawn, strict=False):
                draw_panel(axes)
        figure.supxlabel("\n".join(lines), x=0.005, ha="left", fontsize=8, color="#555555")

    return figure_bytes((_PANEL * columns, panel_height * len(rows) + _LINE * (len(lines) + 1)), draw, kind)
