"""The benchmark of building graphs, on a map that takes no time."""

from __future__ import annotations

import pytest

from benchmarks import graph_building
from benchmarks.graph_building import BUILDERS, HEADER, measure, row, smooth_map


def test_both_ways_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_building, "float32_rate", lambda: 1e9)
    x = smooth_map(8, 16, 4)
    for name, build in BUILDERS.items():
        found = measure(build, x)
        cells = row(name, found)
        assert len(cells) == len(HEADER) and cells[0] == name
        assert found["products"] == pytest.approx(2 * 8 * 16 * 4 * 256 / 1e9)
        assert float(cells[4]) == pytest.approx(found["torch"] / found["C"], abs=0.06)


def test_the_table_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(graph_building, "float32_rate", lambda: 1e9)
    assert graph_building.main(["--size", "8x16", "--channels", "4", "--threads", "1", "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert "| local, exact |" in printed and "command: python -m benchmarks.graph_building" in printed
