"""Cells of tables, and tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

__all__ = ["NOTHING", "markdown_table", "mean_cell", "number_cell"]

NOTHING = "–"
"""In a cell that has no number."""


def number_cell(value: float | None, form: str) -> str:
    """A number as a cell shows it; infinite is ∞, and None, like what is no number, a dash."""
    if value is None or math.isnan(value):
        return NOTHING
    return format(value, form) if math.isfinite(value) else "∞" if value > 0 else "−∞"


def mean_cell(value: float | None, form: str, count: int, images: int) -> str:
    """A mean, with the number of images beside it where it is not of all of them.

    Args:
        value, form: as for :func:`number_cell`.
        count: how many images the mean is of.
        images: how many there are.
    """
    shown = number_cell(value, form)
    return f"{shown} (of {count})" if 0 < count < images else shown


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table without a line break at its end.

    Args:
        header: names of the columns.
        rows: cells, as many as columns; a ``|`` in them is escaped.
        left: so many columns are aligned to the left, the others to the right.
    """
    rule = "|" + "---|" * left + "---:|" * (len(header) - left)
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in (header, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]])
