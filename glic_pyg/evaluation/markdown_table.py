"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["markdown_table"]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table without a line break at its end.

    Args:
        header: names of the columns.
        rows: cells, as many as columns.
        left: so many columns are aligned to the left, the others to the right.
    """
    rule = "|" + "---|" * left + "---:|" * (len(header) - left)
    return "\n".join([f"| {' | '.join(header)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)])
