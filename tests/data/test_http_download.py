"""One file over HTTP, from servers that cut, refuse, change their mind, or know no ranges."""

import threading
from pathlib import Path
from typing import Any

import pytest

from glic_pyg.data.http_download import Download, Stopped
from glic_pyg.data.image_file import DataError
from tests.data.web import Web

CONTENT = bytes(range(256)) * 40


def download(url: str, folder: Path, verifiable: bool = True, **options: Any) -> Download:
    return Download(url, folder / "a.part", verifiable, **{"pause": 0.0, "attempts": 3, **options})


def ranges(web: Web) -> list[str | None]:
    return [header for _, header in web.requests]


def test_a_file_in_one_go(web: Web, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    url = web.add("/a", CONTENT)
    download(url, tmp_path, progress=lambda done, total: seen.append((done, total))).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_cut_connection_is_taken_up_where_it_broke(web: Web, tmp_path: Path) -> None:
    url = web.add("/a", CONTENT, cuts=[1000, 0, 500])
    download(url, tmp_path).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    assert ranges(web) == [None, "bytes=1000-", "bytes=1000-", "bytes=1500-"]


def test_a_later_process_goes_on(web: Web, tmp_path: Path) -> None:
    url = web.add("/a", CONTENT, cuts=[1000, 0, 0])
    with pytest.raises(DataError, match=r"the connection was cut after 1000 of 10240 bytes"):
        download(url, tmp_path).run()
    web.requests.clear()
    download(url, tmp_path).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    assert ranges(web) == ["bytes=1000-"]


def test_a_server_without_ranges_begins_anew(web: Web, tmp_path: Path) -> None:
    url = web.add("/a", CONTENT, ranges=False, cuts=[1000])
    download(url, tmp_path).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    assert ranges(web) == [None, "bytes=1000-"]


def test_a_file_that_changed_meanwhile_is_begun_anew(web: Web, tmp_path: Path) -> None:
    url = web.add("/a", CONTENT, cuts=[1000, 0, 0])
    with pytest.raises(DataError):
        download(url, tmp_path).run()
    web.add("/a", CONTENT[::-1], etag='"v2"')
    download(url, tmp_path).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize(("verifiable", "second"), [(True, "bytes=1000-"), (False, None)])
def test_without_a_version_only_a_checksum_allows_patching(
    web: Web, tmp_path: Path, verifiable: bool, second: str | None
) -> None:
    url = web.add("/a", CONTENT, etag=None, cuts=[1000])
    download(url, tmp_path, verifiable).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    assert ranges(web) == [None, second]


def test_part_of_another_file_is_thrown_away(web: Web, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        download(web.add("/old", CONTENT[::-1], cuts=[1000, 0, 0]), tmp_path).run()
    web.requests.clear()
    download(web.add("/new", CONTENT), tmp_path).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    assert ranges(web) == [None]


@pytest.mark.parametrize("surplus", [0, 7])
def test_nothing_is_missing_or_too_much_is_there(web: Web, tmp_path: Path, surplus: int) -> None:
    url = web.add("/a", CONTENT)
    first = download(url, tmp_path)
    first.run()
    first.partial.write_bytes(CONTENT + bytes(surplus))
    download(url, tmp_path).run()
    assert first.partial.read_bytes() == CONTENT


def test_the_wrong_range_is_not_appended(web: Web, tmp_path: Path) -> None:
    url = web.add("/a", CONTENT, cuts=[1000], shift=1)
    with pytest.raises(DataError, match="another part of the file than was asked for"):
        download(url, tmp_path).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT[:1000]


def test_refusals_are_final_and_overload_is_not(web: Web, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"/none: the server answers 404 Not Found\."):
        download(f"{web.url}/none", tmp_path).run()
    assert len(web.requests) == 1
    download(web.add("/a", CONTENT, statuses=[503, 429]), tmp_path).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    with pytest.raises(DataError, match="answers 500"):
        download(web.add("/b", CONTENT, statuses=[500] * 3), tmp_path).run()


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no connection"):
        download("http://127.0.0.1:9/a", tmp_path).run()


def test_a_web_page_is_no_file(web: Web, tmp_path: Path) -> None:
    url = web.add("/a", b"<html>Too many downloads", kind="text/html; charset=utf-8")
    with pytest.raises(DataError, match="a web page came instead of the file"):
        download(url, tmp_path).run()
    assert not (tmp_path / "a.part").exists()


def test_no_length_and_no_version(web: Web, tmp_path: Path) -> None:
    download(web.add("/a", CONTENT, length=False, etag=None), tmp_path, False).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT


def test_being_stopped_keeps_what_came(web: Web, tmp_path: Path) -> None:
    stop = threading.Event()
    url = web.add("/a", CONTENT, cuts=[1000])
    with pytest.raises(Stopped):
        download(url, tmp_path, stop=stop, progress=lambda *_: stop.set(), pause=60.0).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT[:1000]


def test_a_full_disk_is_not_tried_again(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Download, "_keep_version", full)
    with pytest.raises(DataError, match="No space left on device"):
        download(web.add("/a", CONTENT), tmp_path).run()
    assert len(web.requests) == 1
