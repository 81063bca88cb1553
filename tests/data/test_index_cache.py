"""What was measured is remembered as long as it holds."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glic_pyg.data import index as index_module
from glic_pyg.data.index import Catalogue, IndexCache, build_catalogue


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that had to be measured."""
    names: list[str] = []
    real = index_module._measure

    def watched(path: Path) -> object:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(index_module, "_measure", watched)
    return names


def build(source: Path, folder: Path) -> Catalogue:
    return build_catalogue(source, IndexCache(folder, str(source), smallest=1))


def test_the_second_time_nothing_is_measured(pack: Callable, tmp_path: Path, measured: list[str]) -> None:
    shards = pack("shards", 2, [("bad.jpg", b"x")])
    first = build(shards, tmp_path / "cache")
    assert sorted(measured) == ["part-000.tar", "part-001.tar"]
    second = build(shards, tmp_path / "cache")
    assert len(measured) == 2
    assert second.files == first.files and second.unreadable == first.unreadable
    assert np.array_equal(second.sizes, first.sizes)


def test_only_what_changed_is_measured_again(images: Path, tmp_path: Path, measured: list[str]) -> None:
    build(images, tmp_path / "cache")
    measured.clear()
    Image.new("RGB", (99, 77)).save(images / "1.png")
    os.utime(images / "2.png", ns=(1, 1))
    (images / "0.png").unlink()
    after = build(images, tmp_path / "cache")
    assert sorted(measured) == ["1.png", "2.png"]
    assert [77, 99] in after.sizes.tolist() and len(after) == 4


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"version": 2}', b'{"version": 9, "files": {}}'])
def test_a_damaged_cache_is_no_cache(
    images: Path, tmp_path: Path, measured: list[str], damage: bytes
) -> None:
    build(images, tmp_path / "cache")
    (written,) = (tmp_path / "cache").iterdir()
    written.write_bytes(damage)
    measured.clear()
    assert len(build(images, tmp_path / "cache")) == len(measured) == 5
    assert build(images, tmp_path / "cache") and len(measured) == 5


def test_entries_in_another_form_are_forgotten(images: Path, tmp_path: Path, measured: list[str]) -> None:
    build(images, tmp_path / "cache")
    (written,) = (tmp_path / "cache").iterdir()
    content = json.loads(written.read_text())
    for number, path in enumerate(content["files"]):
        stamp = content["files"][path][0]
        content["files"][path] = [[stamp], [stamp, [[None, 0]], []], [stamp, 3, None], {}, "x"][number]
    written.write_text(json.dumps(content))
    measured.clear()
    assert len(build(images, tmp_path / "cache")) == len(measured) == 5


def test_a_cache_that_cannot_be_written_is_no_cache(images: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert len(build(images, tmp_path / "file")) == 5


def test_small_sets_leave_nothing_behind(images: Path, tmp_path: Path) -> None:
    build_catalogue(images, IndexCache(tmp_path / "cache", "x"))
    assert not (tmp_path / "cache").exists()
