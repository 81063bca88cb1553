"""A table on a page and on the terminal."""

from __future__ import annotations

import pytest

from benchmarks.table import print_table

HEADER, ROWS = ("model", "batch", "step, s"), [("glic", "2", "1.25 (9.00×)")]


def test_on_a_page_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEADER, ROWS, markdown=True, left=2)
    rule, row = capsys.readouterr().out.splitlines()[1:]
    assert rule == "|---|---|---:|"
    assert row == "| glic | 2 | 1.25 (9.00×) |"


def test_into_a_file_no_cell_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    """Fourteen columns, as many as make bench prints, wider than a terminal of 80."""
    print_table(HEADER * 4, [cells * 4 for cells in ROWS], markdown=False)
    title, cells = capsys.readouterr().out.splitlines()
    assert title.split() == ["model", "batch", "step,", "s"] * 4
    assert cells.split() == ["glic", "2", "1.25", "(9.00×)"] * 4
