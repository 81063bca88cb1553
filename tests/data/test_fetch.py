"""Fetching into a folder: checked, resumed, and nothing overwritten."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from glic_pyg.data.download import Download
from glic_pyg.data.fetch import RECORD_NAME, Fetcher, Outcome, changed_files
from glic_pyg.data.fetch_list import Remote
from glic_pyg.errors import DataError
from tests.data.web import Web

CONTENT = b"an image" * 100


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fetch(folder: Path, *files: Remote, force: bool = False, **options: Any) -> list[Outcome]:
    fetcher = Fetcher(folder, force, pause=0.0, attempts=2, **options)
    return sorted(fetcher.run(files), key=lambda outcome: files.index(outcome.file))


def visible(folder: Path) -> list[str]:
    """All files but the record, parts included."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != RECORD_NAME
    )


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def tarred(**members: bytes) -> bytes:
    return bz2.compress(tarred_plain(**members))


def tarred_plain(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_files_arrive_checked_and_are_not_fetched_twice(web: Web, tmp_path: Path) -> None:
    files = [
        Remote(
            web.add(f"/{number}", CONTENT + bytes([number])),
            f"sub/{number}.png",
            sha(CONTENT + bytes([number])),
        )
        for number in range(6)
    ]
    assert [outcome.text for outcome in fetch(tmp_path / "new", *files)] == 6 * ["fetched"]
    assert (tmp_path / "new/sub/3.png").read_bytes() == CONTENT + b"\x03"
    assert visible(tmp_path / "new") == [f"sub/{number}.png" for number in range(6)]
    assert not (tmp_path / "new/.parts").exists()
    web.requests.clear()
    assert [outcome.text for outcome in fetch(tmp_path / "new", *files)] == 6 * ["already there"]
    assert web.requests == []


def test_a_wrong_checksum_leaves_nothing(web: Web, tmp_path: Path) -> None:
    good = Remote(web.add("/good", CONTENT), "good.png", sha(CONTENT))
    bad = Remote(web.add("/bad", CONTENT), "bad.png", sha(b"other"))
    (one, other) = fetch(tmp_path, bad, good)
    assert other.good and not one.good
    assert one.text.startswith(
        f"{bad.url}: the checksum is {sha(CONTENT)}, not {sha(b'other')} as the list says"
    )
    assert "\n" not in one.text
    assert visible(tmp_path) == ["good.png"]


def test_a_wrong_number_of_bytes_is_refused(web: Web, tmp_path: Path) -> None:
    (outcome,) = fetch(tmp_path, Remote(web.add("/a", CONTENT), "a.png", size=5))
    assert "the file has 800 bytes, not 5" in outcome.text and visible(tmp_path) == []


def test_an_interrupted_file_is_resumed_by_the_next_run(web: Web, tmp_path: Path) -> None:
    file = Remote(web.add("/a", CONTENT, cuts=[300, 0]), "sub/a.png", sha(CONTENT))
    (outcome,) = fetch(tmp_path, file)
    assert "cut after 300 of 800 bytes" in outcome.text
    assert not (tmp_path / "sub/a.png").exists()
    web.requests.clear()
    assert fetch(tmp_path, file)[0].good
    assert web.requests == [("/a", "bytes=300-")]
    assert (tmp_path / "sub/a.png").read_bytes() == CONTENT and visible(tmp_path) == ["sub/a.png"]


def test_an_unknown_checksum_is_trusted_once(web: Web, tmp_path: Path) -> None:
    file = Remote(web.add("/a", CONTENT), "a.png")
    assert fetch(tmp_path, file)[0].good
    entry = json.loads((tmp_path / RECORD_NAME).read_text())["files"]["a.png"]
    assert entry == {"url": file.url, "sha256": sha(CONTENT), "kept": {"a.png": len(CONTENT)}}
    (tmp_path / "a.png").unlink()
    web.add("/a", CONTENT[::-1])
    (outcome,) = fetch(tmp_path, file)
    assert not outcome.good and "as when it was first fetched" in outcome.text
    assert visible(tmp_path) == []
    assert fetch(tmp_path, file, force=True)[0].good
    assert (tmp_path / "a.png").read_bytes() == CONTENT[::-1]
    assert fetch(tmp_path, file)[0].text == "already there"


@pytest.mark.parametrize("checksum", [None, sha(CONTENT)])
def test_files_of_the_user_are_not_overwritten(web: Web, tmp_path: Path, checksum: str | None) -> None:
    file = Remote(web.add("/a", CONTENT), "a.png", checksum)
    (tmp_path / "a.png").write_bytes(b"mine")
    (outcome,) = fetch(tmp_path, file)
    assert not outcome.good and "a.png is not the file of the list; move it away" in outcome.text
    assert (tmp_path / "a.png").read_bytes() == b"mine" and web.requests == []
    assert fetch(tmp_path, file, force=True)[0].good
    assert (tmp_path / "a.png").read_bytes() == CONTENT


def test_the_right_file_is_adopted(web: Web, tmp_path: Path) -> None:
    file = Remote(web.add("/a", CONTENT), "a.png", sha(CONTENT))
    (tmp_path / "a.png").write_bytes(CONTENT)
    assert fetch(tmp_path, file)[0].text == "already there" and web.requests == []


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_archives_give_what_fits_the_pattern(web: Web, tmp_path: Path, pack: Any) -> None:
    content = pack(**{"valid__a.png": b"A", "valid__b.png": b"B", "__MACOSX__._a.png": b"-", "read.me": b"-"})
    file = Remote(web.add("/set", content), "set.archive", sha(content), members="*.png")
    assert fetch(tmp_path, file)[0].text == "2 files unpacked"
    assert visible(tmp_path) == ["a.png", "b.png"] and (tmp_path / "b.png").read_bytes() == b"B"
    web.requests.clear()
    assert fetch(tmp_path, file)[0].text == "already there" and web.requests == []
    (tmp_path / "a.png").unlink()
    assert fetch(tmp_path, file)[0].good and visible(tmp_path) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (zipped(other=b"-"), "holds nothing like"),
        (zipped(x__a__png=b"1", y__a__png=b"2"), "two files called png"),
        (b"neither", "neither a zip nor a tar file"),
        (zipped(**{"a.png": b"A" * 99}).replace(b"A" * 99, b"A" * 98 + b"B"), "is damaged"),
    ],
)
def test_archives_that_cannot_be_used(web: Web, tmp_path: Path, content: bytes, sentence: str) -> None:
    file = Remote(web.add("/set", content), "set.zip", members="*png")
    (outcome,) = fetch(tmp_path, file)
    assert not outcome.good and sentence in outcome.text
    assert visible(tmp_path) == []


def test_one_odd_server_does_not_end_the_rest(web: Web, tmp_path: Path) -> None:
    """Everything that once ended all downloads, and one that fails in a way nobody thought of."""
    damaged = bytearray(lzma.compress(tarred_plain(**{"a.png": b"A" * 999}), preset=0))
    damaged[len(damaged) // 2] ^= 0xFF
    (tmp_path / ".parts").mkdir()
    odd = [
        Remote(web.add("/length", CONTENT, headers={"Content-Length": "many"}), "length.png"),
        Remote(web.add("/moved", CONTENT, status=301, headers={"Location": "http://[/"}), "moved.png"),
        Remote(web.add("/lzma", bytes(damaged)), "set.tar.xz", members="*.png"),
        Remote("http://a b/", "address.png"),
        Remote(web.add("/name", CONTENT), "n" * 300 + ".png"),
    ]
    good = [Remote(web.add(f"/{n}", CONTENT), f"{n}.png") for n in range(3)]
    outcomes = fetch(tmp_path, *odd, *good)
    assert [outcome.good for outcome in outcomes] == [True, False, False, False, False, True, True, True]
    assert "makes no sense" in outcomes[1].text and "set.tar.xz is damaged" in outcomes[2].text
    assert "File name too long" in outcomes[4].text
    assert not any("\n" in outcome.text for outcome in outcomes)
    assert visible(tmp_path) == ["0.png", "1.png", "2.png", "length.png"]


def test_whatever_happens_to_one_file_is_its_outcome(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Download.run

    def run(self: Download) -> None:
        if self.url.endswith("/0"):
            raise AttributeError("'list' object has no\nattribute 'get'")
        real(self)

    monkeypatch.setattr(Download, "run", run)
    files = [Remote(web.add(f"/{n}", CONTENT), f"{n}.png") for n in range(2)]
    bad, good = fetch(tmp_path, *files)
    assert good.good and bad.text == f"{files[0].url}: AttributeError: 'list' object has no attribute 'get'."


def test_a_long_name_in_other_letters(web: Web, tmp_path: Path) -> None:
    name = "図" * 80 + ".png"
    assert fetch(tmp_path, Remote(web.add("/a", CONTENT), name))[0].good
    assert (tmp_path / name).read_bytes() == CONTENT


def test_an_archive_in_whose_way_something_lies_is_not_thrown_away(web: Web, tmp_path: Path) -> None:
    content = zipped(**{"a.png": b"A", "b.png": b"B", "c.png": b"C"})
    file = Remote(web.add("/set", content, etag='"1"'), "set.zip", members="*")
    (tmp_path / "b.png").write_bytes(b"mine")
    (tmp_path / "c.png").write_bytes(b"C")
    (outcome,) = fetch(tmp_path, file)
    assert "b.png is not the file of the archive; move it away" in outcome.text
    assert (tmp_path / "a.png").read_bytes() == b"A" and (tmp_path / "b.png").read_bytes() == b"mine"
    (tmp_path / "b.png").unlink()
    web.requests.clear()
    assert fetch(tmp_path, file)[0].text == "3 files unpacked"
    assert web.requests == [("/set", f"bytes={len(content)}-")], "it was there"
    assert visible(tmp_path) == ["a.png", "b.png", "c.png"] and not (tmp_path / ".parts").exists()


def test_what_an_archive_unpacks_to_is_bounded(web: Web, tmp_path: Path) -> None:
    content = gzip.compress(tarred_plain(**{"a.png": bytes(5000)}))
    file = Remote(web.add("/set", content), "set.tgz", members="*")
    (outcome,) = fetch(tmp_path, file, max_bytes=4000)
    assert "unpacks to more than 4000 bytes" in outcome.text and visible(tmp_path) == []
    (outcome,) = fetch(tmp_path, Remote(web.add("/a", CONTENT), "a.png"), max_bytes=799)
    assert "800 bytes or more and 799 are allowed" in outcome.text and visible(tmp_path) == []
    assert fetch(tmp_path, file, max_bytes=5000)[0].good


def test_archives_never_write_outside_or_over(web: Web, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/b.png").write_bytes(b"mine")
    file = Remote(web.add("/set", zipped(**{"../../a.png": b"A"})), "set.zip", members="*")
    assert fetch(tmp_path / "in", file)[0].good
    assert visible(tmp_path) == ["in/a.png", "in/b.png"]
    other = Remote(web.add("/other", zipped(**{"b.png": b"B"})), "other.zip", members="*")
    (outcome,) = fetch(tmp_path / "in", other)
    assert "b.png is not the file of the archive" in outcome.text
    assert (tmp_path / "in/b.png").read_bytes() == b"mine"


def test_going_no_further_ends_the_downloads(web: Web, tmp_path: Path) -> None:
    files = [Remote(web.add(f"/{n}", CONTENT, statuses=[503] * (n > 0)), f"{n}.png") for n in range(8)]
    running = Fetcher(tmp_path, pause=60.0).run(files, jobs=2)
    assert next(running).file == files[0]
    running.close()  # would wait for a minute if the pause could not be cut short
    assert visible(tmp_path) == ["0.png"]


def test_changes_after_fetching_are_found(web: Web, tmp_path: Path) -> None:
    fetch(tmp_path, *(Remote(web.add(f"/{n}", CONTENT), f"{n}.png") for n in "abc"))
    assert changed_files(tmp_path) == []
    (tmp_path / "a.png").write_bytes(CONTENT[::-1])
    (tmp_path / "b.png").unlink()
    lines = changed_files(tmp_path)
    assert len(lines) == 2 and "a.png: not the bytes" in lines[0] and "b.png: missing" in lines[1]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"version": 1}',
        '{"version": 2, "files": {}}',
        '{"version": 1, "files": []}',
        '{"version": 1, "files": {"a": []}}',
        '{"version": 1, "files": {"a": {"url": "u", "sha256": 3}}}',
        '{"version": 1, "files": {"a": {"url": "u", "sha256": "S", "kept": []}}}',
        '{"version": 1, "files": {"a": {"url": "u", "sha256": "S", "kept": {"../a": 1}}}}',
        '{"version": 1, "files": {"a": {"url": "u", "sha256": "S", "kept": {"a": "1"}}}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD_NAME).write_text(text.replace('"S"', f'"{sha(b"")}"'))
    with pytest.raises(DataError, match=r"\.glic-data\.json is damaged; remove it"):
        Fetcher(tmp_path)
