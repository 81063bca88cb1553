"""``glic compare``: the tables, the files, and what can go wrong."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

import glic_pyg
from glic_pyg.cli.main import main

pytestmark = pytest.mark.usefixtures("tiny_weights", "folder")
Capture = pytest.CaptureFixture[str]


def test_table_and_files(capsys: Capture) -> None:
    main(["compare", "a.png", "b.jpg", "--json", "out.json", "--csv", "out.csv", "--device", "cpu"])
    said = capsys.readouterr().out
    document = json.loads(Path("out.json").read_text())
    assert [image["image"] for image in document["images"]] == ["a", "b"]
    ours = document["images"][0]["codecs"][0]
    main(["encode", "a.png", "a.glic", "--device", "cpu"])
    assert ours["size"] == os.path.getsize("a.glic")
    assert ours["bpp"] == pytest.approx(8 * ours["size"] / (56 * 40))
    assert f"{ours['psnr']:.3f}" in said and f"{document['mean'][0]['psnr']:.3f}" in said
    assert "mean of 2" in said and "glic (tiny)" in said
    assert document["command"].startswith("glic compare a.png b.jpg")
    assert f"command: {document['command']}" in said
    assert f"{document['machine']['threads']} threads" in said and f"date: {document['date']}" in said
    with open("out.csv") as file:
        assert [row["codec"] for row in csv.DictReader(file)] == ["glic", "jpeg", "webp"] * 2


def test_estimate_is_checked(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["compare", "a.png"]) == 0
    assert "within 1 % + 64 bytes of the estimate: on all 1 images" in capsys.readouterr().out
    monkeypatch.setattr("glic_pyg.evaluation.summary.estimate_holds", lambda size, bits: False)
    assert main(["compare", "a.png"]) == 1
    assert "of the estimate: NOT on a " in capsys.readouterr().out


def test_markdown(capsys: Capture) -> None:
    main(["compare", "a.png", "--markdown"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| image | codec | bytes | bpp |")
    assert {line.count("|") for line in lines[:5]} == {11} and lines[4].startswith("|  | webp (quality ")


def test_numbers_are_kept_where_nobody_reads_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("glic_pyg.cli.compare.print_comparisons", closed)
    assert main(["compare", "a.png", "--json", "out.json", "--csv", "out.csv"]) == 1
    assert json.loads(Path("out.json").read_text()) and Path("out.csv").is_file()


def test_figure() -> None:
    main(["compare", "a.png", "--figure", "rate.svg"])
    assert "<svg" in Path("rate.svg").read_text()


def test_one_bad_image_is_named_and_the_others_go_on(capsys: Capture) -> None:
    Path("bad.png").write_bytes(b"not an image")
    assert main(["compare", "bad.png", "a.png"]) == 1
    said = capsys.readouterr()
    assert "glic compare: bad.png: This is not an image that Pillow can read." in said.err
    assert "glic (tiny)" in said.out and "mean" not in said.out
    assert main(["compare", "missing.png"]) == 1


def test_outputs_are_checked_before_the_work(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glic_pyg.codec.api, "codec_for_encoding", lambda *_, **__: pytest.fail("too late"))
    Path("out.json").write_text("precious")
    assert main(["compare", "a.png", "--json", "out.json"]) == 1
    assert capsys.readouterr().err == "glic compare: out.json exists; overwrite it with --force.\n"
    with pytest.raises(SystemExit) as end:
        main(["compare", "a.png", "--figure", "rate.bmp"])
    assert end.value.code == 2
    assert "should end in one of .png, .svg, .pdf" in capsys.readouterr().err


def test_a_folder_stands_for_its_pictures(capsys: Capture) -> None:
    Path("set").mkdir()
    Path("set/notes.txt").write_text("no image")
    assert main(["compare", "set"]) == 1
    assert "The folder set holds no .bmp or " in capsys.readouterr().err
    for name in ("b.jpg", "a.png"):
        os.link(name, Path("set") / name)
    main(["compare", "set", "--json", "out.json"])
    images = [image["image"] for image in json.loads(Path("out.json").read_text())["images"]]
    assert images == ["a", "b"]
