"""The benchmark of attention along edges, on a map that takes no time."""

from __future__ import annotations

import pytest

from benchmarks.graph_attention import HEADER, PATHS, measure, row


@pytest.mark.parametrize("name", ["windows, torch", "edges, chunks by torch", "GATv2Conv"])
def test_a_path_is_measured(name: str) -> None:
    found = measure(name, 8, 16, 16, 2, "local")
    cells = row(name, found)
    assert len(cells) == len(HEADER) and cells[0] == name
    assert all(found[part] > 0 for part in ("forward", "both", "forward_windows", "both_windows"))
    assert name in PATHS and float(cells[2]) == pytest.approx(
        found["forward"] / found["forward_windows"], abs=0.01
    )
