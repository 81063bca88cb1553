"""Outputs of ``glic encode`` and ``glic decode``: nothing is lost, and there is a way round what exists."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from glic_pyg.cli.main import main
from glic_pyg.codec.image_codec import ImageCodec

pytestmark = pytest.mark.usefixtures("tiny_weights", "folder")
Capture = pytest.CaptureFixture[str]


def refused(arguments: list[str], capsys: Capture) -> str:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def content(*names: str) -> list[bytes]:
    return [Path(name).read_bytes() for name in names]


@pytest.mark.parametrize("force", [["-f"], []])
def test_a_pattern_of_two_images_destroys_none(force: list[str], capsys: Capture) -> None:
    Path("b.png").write_bytes(Path("a.png").read_bytes())
    before = content("a.png", "b.png")
    sentence = refused(["encode", *force, "a.png", "b.png"], capsys)
    assert "b.png should end in .glic; for several files give -o DIR" in sentence
    assert content("a.png", "b.png") == before
    main(["encode", "a.png", "b.png", "-o", "."])
    before = content("a.glic", "b.glic")
    assert "should end in one of .png" in refused(["decode", *force, "a.glic", "b.glic"], capsys)
    assert "should end in .json" in refused(["compare", *force, "--json", "a.png", "b.png"], capsys)
    assert main(["inspect", *force, "-o", "a.png", "b.png"]) == 1
    assert "should end in .html" in capsys.readouterr().err
    assert content("a.glic", "b.glic") == before and content("a.png", "b.png")[0][:4] == b"\x89PNG"


def test_an_upper_case_ending_will_do() -> None:
    assert main(["encode", "a.png", "A.GLIC"]) == 0


def test_an_output_that_appears_during_the_work_is_kept(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = ImageCodec.encode

    def slow(*args: Any, **options: Any) -> Any:
        Path("a.glic").write_bytes(b"of another process")
        return encode(*args, **options)

    monkeypatch.setattr(ImageCodec, "encode", slow)
    assert main(["encode", "a.png", "a.glic"]) == 1
    assert content("a.glic") == [b"of another process"]
    assert "a.glic exists; overwrite it with --force." in capsys.readouterr().err
    Path("a.glic").unlink()
    assert main(["encode", "a.png", "a.glic", "--skip-existing"]) == 0
    assert content("a.glic") == [b"of another process"]
    assert main(["encode", "a.png", "a.glic", "--force"]) == 0
    assert content("a.glic")[0][:4] == b"GLIC"


def test_links_are_followed_with_force_and_refused_without(capsys: Capture, folder: Path) -> None:
    Path("store").mkdir()
    Path("link.glic").symlink_to("store/kept.glic")
    assert main(["encode", "a.png", "link.glic"]) == 1  # it points nowhere, and yet exists
    assert "link.glic exists" in capsys.readouterr().err
    assert main(["encode", "a.png", "link.glic", "-f"]) == 0
    assert Path("link.glic").is_symlink() and content("store/kept.glic")[0][:4] == b"GLIC"
    Path("self.glic").symlink_to("a.png")
    before = content("a.png")
    assert main(["encode", "a.png", "self.glic", "-f"]) == 1
    assert "same file" in capsys.readouterr().err and content("a.png") == before


def test_permissions() -> None:
    before = os.umask(0o077)
    try:
        main(["encode", "a.png", "a.glic"])
        assert stat.S_IMODE(Path("a.glic").stat().st_mode) == 0o600
        Path("a.glic").chmod(0o664)
        main(["encode", "a.png", "a.glic", "-f"])
        assert stat.S_IMODE(Path("a.glic").stat().st_mode) == 0o664
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    "name", ["圖" * 80, "😀" * 60, "é" * 120, "undecodable \udcff\udcfe", ":smile: [red]x"]
)
def test_long_and_odd_names(name: str, capsys: Capture) -> None:
    os.link("a.png", f"{name}.png")
    assert main(["encode", f"{name}.png", "-o", "out"]) == 0
    assert main(["decode", f"out/{name}.glic", "-o", "back"]) == 0
    assert os.listdir("out") == [f"{name}.glic"] and os.listdir("back") == [f"{name}.png"]
    if name.isprintable():
        assert f"{name}.png -> out/{name}.glic" in capsys.readouterr().err
        assert main(["compare", f"{name}.png", "--json", "out.json", "--csv", "out.csv"]) == 0
        assert json.loads(Path("out.json").read_text())["images"][0]["image"] == name


def test_skip_existing(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out").mkdir()
    Path("out/a.glic").write_bytes(b"precious")
    assert main(["encode", "a.png", "b.jpg", "-o", "out", "--skip-existing"]) == 0
    assert content("out/a.glic") == [b"precious"] and content("out/b.glic")[0][:4] == b"GLIC"
    assert "glic encode: 1 of 2 files skipped, because the output exists." in capsys.readouterr().err
    monkeypatch.setattr("glic_pyg.codec.api.codec_for_encoding", lambda *_, **__: pytest.fail("no work"))
    assert main(["encode", "a.png", "b.jpg", "-o", "out", "--skip-existing"]) == 0
    assert "not allowed with" in refused(["encode", "a.png", "x.glic", "--skip-existing", "-f"], capsys)


def test_a_clash_of_names_has_a_way_out(capsys: Capture) -> None:
    os.link("b.jpg", "a.jpg")
    sentence = refused(["encode", "a.png", "a.jpg", "-o", "out"], capsys)
    assert "a.png and a.jpg would both become out/a.glic; keep their extensions with --keep-ext" in sentence
    assert main(["encode", "a.png", "a.jpg", "-o", "out", "--keep-extension"]) == 0
    assert sorted(os.listdir("out")) == ["a.jpg.glic", "a.png.glic"]
    assert main(["decode", "out", "-o", "back"]) == 0
    assert sorted(os.listdir("back")) == ["a.jpg.png", "a.png"]
    Path("sub").mkdir()
    os.link("a.png", "sub/a.png")
    assert "an output folder of its own" in refused(["encode", "a.png", "sub/a.png", "-o", "o"], capsys)
    assert "an output folder of its own" in refused(["encode", "a.png", "a.png", "-o", "o"], capsys)


def test_folders_and_what_is_left_out_of_them(capsys: Capture) -> None:
    Path("set/sub").mkdir(parents=True)
    for name in ("a.png", "c.PNG"):
        os.link("a.png", f"set/{name}")
    for name in ("x.heic", "y.heic", "z.avif", "w.pgm", "v.jfif", "README", ".hidden", "._a.png"):
        Path("set", name).write_bytes(b"")
    assert main(["encode", "set", "b.jpg", "-o", "out"]) == 0
    assert sorted(os.listdir("out")) == ["a.glic", "b.glic", "c.glic"]
    said = capsys.readouterr().err
    assert "glic encode: set: 6 files left out (2 .heic, " in said
    assert all(f"1 {kind}" in said for kind in (".avif", ".pgm", ".jfif", "without extension"))
    Path("out/notes.txt").touch()
    assert main(["decode", "out", "-o", "back"]) == 0
    assert sorted(os.listdir("back")) == ["a.png", "b.png", "c.png"]
    assert main(["info", "out"]) == 0
    assert capsys.readouterr().err.count("1 file left out (1 .txt)") == 2
    for name in ("a.png", "c.PNG"):
        Path("set", name).unlink()
    assert main(["encode", "set", "-o", "out"]) == 1
    assert "The folder set holds no .bmp or " in capsys.readouterr().err
    assert "set is a folder; give its output folder with -o DIR" in refused(
        ["encode", "set", "x.glic"], capsys
    )
    assert "a.png is a file; -o takes a folder" in refused(["encode", "b.jpg", "-o", "a.png"], capsys)


_PROGRAM = """
import sys, time
from glic_pyg import files
from glic_pyg.cli import jobs, main
from glic_pyg.cli.jobs import Result

def prepare(*_):
    def work(image, job):
        with files.atomic_write(job.target) as place:  # as a writer that is under way
            place.write_bytes(b"half")
            print("writing", flush=True)
            time.sleep(60)
    return work

import glic_pyg.cli.encode as encode
encode._encoder = prepare
sys.argv = ["glic", "encode", "a.png", "a.glic"]
sys.exit(main.main())
"""


@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_signals_leave_nothing_unfinished(number: str, code: int, folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"writing\n"
    process.send_signal(getattr(signal, number))
    _, said = process.communicate(timeout=60)
    assert process.returncode == code and b"Traceback" not in said
    assert sorted(os.listdir(folder)) == ["a.png", "b.jpg"]


def test_a_hang_up_that_the_user_ignores_is_ignored(folder: Path) -> None:
    process = subprocess.Popen(
        ["nohup", sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
