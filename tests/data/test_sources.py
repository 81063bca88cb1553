"""What may be named as a data set."""

from collections import Counter
from pathlib import Path

import pytest

from glic_pyg.data.sources import find_files, left_out
from glic_pyg.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that need not be images to be found."""
    for name in (
        "a.png",
        "sub/b.JPG",
        "s-08.tar",
        "s-09.tar",
        "s-10.tar",
        ".hidden.png",
        ".dir/c.png",
        "note.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def names(source: object) -> list[str]:
    return sorted(name for name, _ in find_files(source))  # type: ignore[arg-type]


def test_a_folder_with_its_subfolders(folder: Path) -> None:
    assert names(folder) == ["a.png", "s-08.tar", "s-09.tar", "s-10.tar", "sub/b.JPG"]


def test_links_to_folders_are_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "link").symlink_to(folder / "sub")
    assert names(other) == ["link/b.JPG"]


def test_links_that_lead_back_are_not_followed(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither up, nor to a place that is searched anyway, nor twice to one place, nor round in circles."""
    expected = names(folder)
    for link, target in {"up": "..", "sub/up": "..", "sub/top": folder, "again": "sub"}.items():
        (folder / link).symlink_to(target)
    assert names(folder) == expected
    other = tmp_path_factory.mktemp("other")
    (other / "c.png").touch()
    (other / "round").symlink_to(other)
    (other / "back").symlink_to(folder)
    (folder / "one").symlink_to(other)
    (folder / "two").symlink_to(other)
    assert names(folder) == sorted([*expected, "one/c.png"])
    (folder / "shown").symlink_to(".dir")  # which by itself is hidden
    assert names(folder) == sorted([*expected, "one/c.png", "shown/c.png"])


def test_single_files_patterns_and_ranges(folder: Path) -> None:
    assert names(folder / "a.png") == ["a.png"]
    assert names(f"{folder}/s-*.tar") == ["s-08.tar", "s-09.tar", "s-10.tar"]
    assert names(f"{folder}/s-{{09..10}}.tar") == ["s-09.tar", "s-10.tar"]
    assert names([folder / "a.png", f"{folder}/s-08.tar"]) == ["a.png", "s-08.tar"]


def test_a_list_of_files(folder: Path) -> None:
    lines = ["# images", "", "sub", f"{folder}/a.png", "s-08.tar", "gone.png"]
    (folder / "list.txt").write_text("\n".join(lines))
    assert names(folder / "list.txt") == sorted([f"{folder}/a.png", "gone.png", "s-08.tar", "sub/b.JPG"])


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_list_with_a_byte_order_mark(folder: Path, ending: str) -> None:
    """As Notepad and PowerShell write it; no line of it is lost."""
    text = ending.join(["a.png", "odd\u2028name.png", "s-08.tar", ""])
    (folder / "list.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert names(folder / "list.txt") == ["a.png", "odd\u2028name.png", "s-08.tar"]


@pytest.mark.parametrize("fault", ["missing", "pattern", "binary"])
def test_what_cannot_be_a_data_set(folder: Path, fault: str) -> None:
    (folder / "binary.dat").write_bytes(b"\xff\xfe\x00")
    source, sentence = {
        "missing": ("nowhere", "nowhere does not exist"),
        "pattern": ("t-*.tar", "does not exist"),
        "binary": ("binary.dat", "no list of files"),
    }[fault]
    with pytest.raises(DataError, match=sentence):
        find_files(folder / source)


def test_files_of_other_kinds_are_counted(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("a.png", "b.HEIC", "below/c.heic", "below/d.avif", "e", ".hidden"):
        (tmp_path / name).touch()
    others: Counter[str] = Counter()
    assert [name for name, _ in find_files([tmp_path, tmp_path / "a.png"], others)] == ["a.png", "a.png"]
    assert left_out(others) == "4 files left out (2 .heic, 1 .avif, 1 without extension)"
    assert left_out({".pgm": 1}) == "1 file left out (1 .pgm)" and left_out({}) == ""
