"""A benchmark's table on the terminal, or in Markdown for a page of docs/."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from glic_pyg.evaluation.markdown_table import markdown_table

__all__ = ["print_table"]

_WIDTH_OF_FILES = 170
"""Columns where there is no terminal to ask."""


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool, left: int = 1
) -> None:
    """Print a table; on a narrow terminal cells break at their spaces.

    Args:
        header: names of the columns.
        rows: cells, as many as columns.
        markdown: for a page.
        left: so many columns are aligned to the left, the others to the right.
    """
    if markdown:
        print(markdown_table(header, rows, left=left))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, title in enumerate(header):
        table.add_column(title, justify="left" if number < left else "right")
    for cells in rows:
        table.add_row(*cells)
    console = Console(highlight=False)
    console.width = console.width if console.is_terminal else max(console.width, _WIDTH_OF_FILES)
    console.print(table)
