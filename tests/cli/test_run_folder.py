"""A run that is refused leaves no folder behind, and in an old one nothing new."""

from __future__ import annotations

from pathlib import Path

import pytest

from glic_pyg.cli.train import main
from tests.cli.tiny_run import tiny_options


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return tiny_options(tmp_path)


@pytest.mark.parametrize(
    "override",
    [
        "data.root=/nowhere",
        "data.val_root=/nowhere",
        "data.crop=512",
        "loss.lmbda=-1",
        "data.batch_size=abc",
        "ckpt_path=/nowhere.ckpt",
        "start_from=/nowhere.ckpt",
    ],
)
def test_no_folder_is_left_behind(options: list[str], tmp_path: Path, override: str) -> None:
    before = set(tmp_path.rglob("*"))
    with pytest.raises(SystemExit):
        main([*options, "name=deep/a", "logger=default", override])
    assert set(tmp_path.rglob("*")) == before


def test_other_runs_and_files_stay(options: list[str], tmp_path: Path) -> None:
    """As those that the process of a sweep has made for its job, and keeps open."""
    runs = tmp_path / "runs"
    (runs / "a").mkdir(parents=True)
    (runs / "a/console.log").touch()
    (runs / "b").mkdir()
    with pytest.raises(SystemExit):
        main([*options, "name=a", "data.root=/nowhere"])
    left = {str(path.relative_to(runs)) for path in runs.rglob("*")}
    assert left - {"a/.lock"} == {"a", "a/console.log", "b"}


@pytest.mark.parametrize("name", ["../a", "/tmp/a", "''", "a/../../b"])
def test_names_stay_inside_the_folder_of_runs(options: list[str], tmp_path: Path, name: str) -> None:
    before = set(tmp_path.rglob("*"))
    with pytest.raises(SystemExit, match=r"name=.* must be the name of a folder inside paths\.runs="):
        main([*options, f"name={name}"])
    assert set(tmp_path.rglob("*")) == before
