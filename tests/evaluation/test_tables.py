"""Cells and tables, on a page and on the terminal."""

from __future__ import annotations

import math

import pytest

from glic_pyg.evaluation.tables import markdown_table, mean_cell, number_cell, print_table

HEADER, ROWS = ("model", "batch", "step, s"), [("glic", "2", "1.25 (9.00×)")]


def test_cells() -> None:
    numbers = (1.25, math.inf, -math.inf, math.nan, None)
    assert [number_cell(number, "+.1f") for number in numbers] == ["+1.2", "∞", "−∞", "–", "–"]
    assert [mean_cell(1.25, ".2f", count, 3) for count in (3, 2)] == ["1.25", "1.25 (of 2)"]
    assert mean_cell(None, ".2f", 0, 3) == "–"


def test_on_a_page_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEADER, ROWS, markdown=True, left=2)
    rule, row = capsys.readouterr().out.splitlines()[1:]
    assert rule == "|---|---|---:|"
    assert row == "| glic | 2 | 1.25 (9.00×) |"


def test_whatever_a_cell_contains_a_row_stays_one_row() -> None:
    assert markdown_table(("a", "b"), [("x|y", "1\n2")]).splitlines()[2] == r"| x\|y | 1 2 |"


def test_into_a_file_no_cell_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    """Fourteen columns, as many as make bench prints, wider than a terminal of 80."""
    print_table(HEADER * 4, [cells * 4 for cells in ROWS])
    title, cells = capsys.readouterr().out.splitlines()
    assert title.split() == ["model", "batch", "step,", "s"] * 4
    assert cells.split() == ["glic", "2", "1.25", "(9.00×)"] * 4


def test_names_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(HEADER, [("[bold]x", "1", ":smile:")], title="Mean", caption="below", groups=[0])
    said = capsys.readouterr().out
    assert "[bold]x" in said and ":smile:" in said and "Mean" in said and "below" in said
