"""Records of runs, kept between calls, and values over seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from glic_pyg.errors import GlicError
from studies.records import RunRecords, Spread

SETTINGS = {"steps": 7, "widths": (8, 16)}


@pytest.fixture
def records(tmp_path: Path) -> RunRecords:
    kept = RunRecords(tmp_path / "runs")
    kept.write("a", {"settings": SETTINGS, "seconds": 1.5})
    return kept


def test_a_record_comes_back(records: RunRecords) -> None:
    found = RunRecords(records.folder).read("a", SETTINGS)  # a tuple is a list in JSON, and equal to it here
    assert found is not None and found["seconds"] == 1.5
    assert records.read("b", SETTINGS) is None


def test_records_of_other_settings_are_refused(records: RunRecords) -> None:
    with pytest.raises(GlicError, match=r"a\.json was made with other settings; choose another --folder"):
        records.read("a", {**SETTINGS, "steps": 8})


def test_a_write_that_fails_leaves_the_older_record(records: RunRecords) -> None:
    with pytest.raises(TypeError):
        records.write("a", {"settings": object()})
    assert records.read("a", SETTINGS) is not None
    assert [path.name for path in records.folder.iterdir()] == ["a.json"]


def test_mean_and_spread_are_written() -> None:
    assert str(Spread((-1.0, 0.5))) == "-0.25 (-1.00 … +0.50)"
    assert str(Spread(())) == "n/a"
