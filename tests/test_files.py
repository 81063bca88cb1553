"""Atomic writes: complete or absent, never over another file unasked, nothing left behind."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glic_pyg import files
from glic_pyg.files import atomic_write, publish, read_text, staging_folder, write_file


@pytest.fixture
def umask() -> Iterator[int]:
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_file_appears_at_the_end(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.txt") as place:
        place.write_text("new")
        assert place.name == "a.txt" and not (tmp_path / "a.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_failure_keeps_the_previous_file_and_leaves_nothing_else(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "a.txt"
    if overwrite:
        path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path, overwrite=overwrite) as place:
        place.write_text("half")
        raise KeyboardInterrupt
    assert [(p, p.read_text()) for p in tmp_path.iterdir()] == ([(path, "old")] if overwrite else [])


@pytest.mark.parametrize("name", ["a" * 255, "圖" * 85, "😀" * 63, "\udcff" * 255])
def test_the_longest_names_a_folder_takes(tmp_path: Path, name: str) -> None:
    write_file(tmp_path / name, "x")
    assert os.listdir(tmp_path) == [name]


def test_text_with_what_utf8_cannot_hold(tmp_path: Path) -> None:
    write_file(tmp_path / "a", "é \udcff")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "é \\udcff"


def test_an_existing_file_is_kept_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_file(path, "first", overwrite=False)
    with pytest.raises(FileExistsError) as refused:
        write_file(path, "second", overwrite=False)
    assert refused.value.filename == str(path) and path.read_text() == "first"
    write_file(path, "second")
    assert path.read_text() == "second"


def test_a_name_taken_during_the_work_is_respected(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(FileExistsError), atomic_write(path, overwrite=False) as place:
        place.write_text("late")
        path.write_text("early")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "early")]


def _compete(path: Path, number: int, start: float, wins: multiprocessing.Queue) -> None:
    time.sleep(max(0.0, start - time.time()))
    try:
        write_file(path, f"{number}" * 1000, overwrite=False)
        wins.put(number)
    except FileExistsError:
        wins.put(None)


@pytest.mark.parametrize("links", [True, False])
def test_of_processes_that_create_one_name_exactly_one_succeeds(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:  # as on FAT

        def link(*_: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
    context = multiprocessing.get_context("fork")
    wins = context.Queue()
    start = time.time() + 0.3
    jobs = [context.Process(target=_compete, args=(tmp_path / "a", n, start, wins)) for n in range(6)]
    for job in jobs:
        job.start()
    results = [wins.get(timeout=30) for _ in jobs]
    for job in jobs:
        job.join()
    winner = [number for number in results if number is not None]
    assert len(winner) == 1
    assert (tmp_path / "a").read_text() == f"{winner[0]}" * 1000
    assert os.listdir(tmp_path) == ["a"]


def test_permissions_are_the_umasks_or_those_of_the_replaced_file(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "a.txt"
    with atomic_write(path) as place:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT, 0o600))  # as safetensors does
    assert mode(path) == 0o640
    for kept in (0o604, 0o444, 0o755):
        path.chmod(kept)
        write_file(path, "again")
        assert mode(path) == kept
    path.chmod(0o604)
    path.unlink()
    write_file(path, "new", overwrite=False)
    assert mode(path) == 0o640


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    link, target = tmp_path / "link", tmp_path / "store" / "file"
    link.symlink_to("store/file")
    with pytest.raises(FileExistsError):  # although it points nowhere yet
        write_file(link, "x", overwrite=False)
    assert not target.exists()
    for text in ("first", "second"):
        write_file(link, text)
        assert link.is_symlink() and target.read_text() == text and not target.is_symlink()
    assert os.listdir(tmp_path / "store") == ["file"]


def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError) as refused:
        write_file(tmp_path / "loop", "x")
    assert refused.value.errno == errno.ELOOP and (tmp_path / "loop").is_symlink()


def test_pipes_and_devices_are_written_directly(tmp_path: Path) -> None:
    write_file("/dev/null", "x", overwrite=False)
    assert not Path("/dev/null").is_file()
    os.mkfifo(tmp_path / "fifo")
    reader = subprocess.Popen(["cat", str(tmp_path / "fifo")], stdout=subprocess.PIPE)
    write_file(tmp_path / "fifo", "through", overwrite=False)
    assert reader.communicate(timeout=30)[0] == b"through"
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)


@pytest.mark.parametrize("path", ["no/where.txt", "x" * 256])
def test_errors_name_the_target(tmp_path: Path, path: str) -> None:
    with pytest.raises(OSError) as failed:
        write_file(tmp_path / path, "x")
    assert failed.value.filename in (str(tmp_path / path), str((tmp_path / path).parent))
    assert failed.value.errno in (errno.ENOENT, errno.ENAMETOOLONG)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_keeps_the_previous_file(tmp_path: Path, full_disk: Callable[[Path], None]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    full_disk(path)
    with pytest.raises(OSError, match="No space left"):
        write_file(path, "x")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "old")]


_ENDED = """
import os, signal, sys
from glic_pyg.files import atomic_write
with atomic_write(sys.argv[1]) as place:
    place.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_leaves_goes_with_the_next_write(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _ENDED, str(tmp_path / "a")], timeout=60)
    assert ended.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".glic-") and left.name.endswith(".part")
    (tmp_path / ".glic-mine.part").mkdir()  # not ours
    write_file(tmp_path / "b", "x")
    assert sorted(os.listdir(tmp_path)) == [".glic-mine.part", "b"]


def test_what_a_living_process_writes_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with atomic_write(tmp_path / "a") as place:
        place.write_text("whole")
        monkeypatch.setattr(files, "_cleaned", set())  # as another process begins
        write_file(tmp_path / "b", "x")
    assert (tmp_path / "a").read_text() == "whole"


def test_several_files_from_one_staging_folder(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("old")
    with pytest.raises(FileExistsError), staging_folder(tmp_path) as folder:
        for name in "ab":
            (folder / name).write_text("new")
            publish(folder / name, tmp_path / name, overwrite=False)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "b": "old"}


def test_texts_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "marked.txt").write_bytes("\ufeffé\n".encode())
    assert read_text(tmp_path / "marked.txt") == "é\n"
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError):
        read_text(tmp_path / "binary")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match="too large"):
        read_text(tmp_path / "huge")
