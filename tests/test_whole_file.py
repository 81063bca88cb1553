"""Files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from glic_pyg.whole_file import whole_file


def test_the_file_appears_in_the_end(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.txt") as place:
        place.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_file_of_before_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as place:
        place.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_the_longest_name_that_a_folder_takes(tmp_path: Path) -> None:
    with whole_file(tmp_path / ("a" * 255)) as place:
        place.touch()
    assert len(next(tmp_path.iterdir()).name) == 255
