"""One file over HTTP, from servers that cut, refuse, change their mind, know no ranges, or talk nonsense."""

import json
import os
import re
import shutil
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from glic_pyg.data.download import Download, Stopped, _Redirects
from glic_pyg.errors import DataError
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

    monkeypatch.setattr(Download, "_append", full)
    with pytest.raises(DataError, match="No space left on device"):
        download(web.add("/a", CONTENT), tmp_path).run()
    assert len(web.requests) == 1


@pytest.mark.parametrize("text", ["ten", "-5", "1e4", "5, 5", "99999999999999999999999"])
def test_a_length_that_is_none_counts_as_unknown(web: Web, tmp_path: Path, text: str) -> None:
    url = web.add("/a", CONTENT, headers={"Content-Length": text})
    download(url, tmp_path).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT


def test_a_part_that_is_short_is_not_the_rest(web: Web, tmp_path: Path) -> None:
    url = web.add("/a", CONTENT, cuts=[1000], most=4000)
    download(url, tmp_path, False).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    assert ranges(web) == [None, "bytes=1000-", "bytes=5000-", "bytes=9000-"]


@pytest.mark.parametrize("first_total", [True, False])
def test_a_part_that_does_not_say_how_long_the_whole_is(web: Web, tmp_path: Path, first_total: bool) -> None:
    """The length of the first answer counts; without one, the server has to refuse a further part."""
    url = web.add("/a", CONTENT, cuts=[1000], most=5000, total=False, length=first_total)
    (tmp_path / "a.part").write_bytes(CONTENT[:1000])
    (tmp_path / "a.part.json").write_text(
        json.dumps({"url": url, "etag": '"v1"', "modified": None, "total": 10240 if first_total else None})
    )
    web.pages["/a"].cuts.clear()
    download(url, tmp_path, False).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    assert ranges(web) == ["bytes=1000-", "bytes=6000-"] + ([] if first_total else ["bytes=10240-"])


@pytest.mark.parametrize("change", ["etag", "length", "date"])
def test_a_changed_file_is_noticed_though_the_server_ignores_conditions(
    web: Web, tmp_path: Path, change: str
) -> None:
    url = web.add(
        "/a", CONTENT, cuts=[1000, 0, 0], headers={"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    )
    with pytest.raises(DataError):
        download(url, tmp_path, False).run()
    other = CONTENT[::-1] + (b"!" if change == "length" else b"")
    date = f"Mon, 0{1 + (change == 'date')} Jan 2024 00:00:00 GMT"
    etag = '"v2"' if change == "etag" else '"v1"'
    web.add("/a", other, conditional=False, etag=etag, headers={"Last-Modified": date})
    download(url, tmp_path, False).run()
    assert (tmp_path / "a.part").read_bytes() == other


def test_more_than_was_announced_is_not_taken(web: Web, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(CONTENT[:1000])
    url = web.add("/a", CONTENT, headers={"Content-Range": "bytes 1000-1999/2000"})
    (tmp_path / "a.part.json").write_text(json.dumps({"url": url}))
    download(url, tmp_path).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT[:2000]


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("file:///etc/passwd", "not allowed"),
        ("ftp://127.0.0.1/a", "redirects from http to ftp"),
        ("javascript:alert(1)", "not allowed"),
        ("http://[::1/a", "makes no sense"),
        ("http://127.0.0.1:port/a", "nonnumeric port"),
        ("http:///a", "infinite loop"),
        ("http://\xff\xfe.x/a", ""),
        ("http://a\x7fb/", ""),
        ("/a", "infinite loop"),
        ("", "answers 302"),
    ],
)
def test_bad_redirects_are_sentences(web: Web, tmp_path: Path, address: str, sentence: str) -> None:
    url = web.add("/a", CONTENT, status=302, headers={"Location": address})
    with pytest.raises(DataError, match=re.escape(f"{url}: ")) as caught:
        download(url, tmp_path).run()
    said = str(caught.value)
    assert sentence in said and "\n" not in said and said.isprintable()


def test_good_redirects_are_followed(web: Web, tmp_path: Path) -> None:
    web.add("/b", CONTENT)
    download(web.add("/a", b"", status=307, headers={"Location": "/b"}), tmp_path).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT


def test_a_redirect_out_of_https_needs_a_checksum() -> None:
    request = urllib.request.Request("https://a.b/c")
    followed = _Redirects(True).redirect_request(request, None, 302, "Found", {}, "http://a.b/c")
    assert followed.full_url == "http://a.b/c"
    with pytest.raises(ValueError, match="from https to http"):
        _Redirects(False).redirect_request(request, None, 302, "Found", {}, "http://a.b/c")


@pytest.mark.parametrize(
    ("headers", "status", "sentence"),
    [
        ({"Content-Encoding": "gzip"}, 200, r"compressed \(gzip\), unasked"),
        ({}, 202, "answers 202, no file"),
        ({"Content-Range": "pages 1-2/3"}, 206, "does not say which"),
        ({"Content-Range": "bytes 5-4/3"}, 206, "another part"),
        ({"ETag": '"v1"'}, 600, "answers 600"),
    ],
)
def test_other_nonsense(
    web: Web, tmp_path: Path, headers: dict[str, str], status: int, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        download(web.add("/a", CONTENT, headers=headers, status=status), tmp_path).run()


def test_an_empty_answer_is_no_file(web: Web, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sent an empty file"):
        download(web.add("/a", b""), tmp_path).run()


@pytest.mark.parametrize("length", [True, False])
def test_size_is_bounded(web: Web, tmp_path: Path, length: bool) -> None:
    url = web.add("/a", CONTENT, length=length)
    with pytest.raises(
        DataError, match="10240 bytes or more and 10000 are allowed; allow more with --max-bytes"
    ):
        download(url, tmp_path, max_bytes=10_000).run()
    with pytest.raises(DataError, match="10240 bytes, not 10000 as the list says"):
        download(url, tmp_path, size=10_000).run()
    assert list(tmp_path.iterdir()) == []
    download(url, tmp_path, max_bytes=len(CONTENT), size=len(CONTENT)).run()


def test_what_the_disk_cannot_hold_is_not_begun(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9999, 0, 9999))
    with pytest.raises(DataError, match="10240 bytes are to come and 9999 are free on the disk"):
        download(web.add("/a", CONTENT), tmp_path).run()
    assert not (tmp_path / "a.part").exists() and len(web.requests) == 1


def test_a_trickle_is_given_up(web: Web, tmp_path: Path) -> None:
    url = web.add("/a", CONTENT[:20], pause=0.05)
    with pytest.raises(DataError, match=r"the server sent \d+ bytes in 0 seconds"):
        download(url, tmp_path, timeout=0.2, attempts=1).run()


@pytest.mark.parametrize(
    "record", ["[]", "3", '{"url": 3}', '{"url": "U", "total": "x"}', "{", '{"a": 1}', "\x00"]
)
def test_a_damaged_note_about_a_part_costs_the_part_only(web: Web, tmp_path: Path, record: str) -> None:
    url = web.add("/a", CONTENT)
    (tmp_path / "a.part").write_bytes(b"other")
    (tmp_path / "a.part.json").write_text(record.replace("U", url))
    download(url, tmp_path).run()
    assert (tmp_path / "a.part").read_bytes() == CONTENT


def test_it_is_on_the_disk_in_the_end(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    download(web.add("/a", CONTENT), tmp_path).run()
    assert len(synced) == 1
