"""``glic encode``, ``glic decode``, ``glic info``: files, pipes, many at once, and what can go wrong."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import glic_pyg
from glic_pyg.cli import jobs
from glic_pyg.cli.console import FileBatch
from glic_pyg.cli.main import main

pytestmark = pytest.mark.usefixtures("tiny_weights", "folder")
Capture = pytest.CaptureFixture[str]


class Pipe:
    """A standard stream with a binary side."""

    def __init__(self, data: bytes = b"") -> None:
        self.buffer = io.BytesIO(data)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.part")]


def test_there_and_back(capsys: Capture) -> None:
    assert main(["encode", "a.png", "a.glic"]) == 0
    assert main(["decode", "a.glic", "back.png"]) == 0
    with Image.open("back.png") as back:
        assert back.size == (56, 40)
    said = capsys.readouterr()
    assert said.out == ""
    assert f"a.png -> a.glic: {os.path.getsize('a.glic')} bytes" in said.err


def test_the_command_and_the_python_api_agree() -> None:
    main(["encode", "a.png", "a.glic", "--device", "cpu"])
    with Image.open("a.png") as image:
        assert Path("a.glic").read_bytes() == glic_pyg.encode(image)


def test_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    main(["encode", "a.png", "a.glic"])
    monkeypatch.setattr("sys.stdin", Pipe(Path("a.png").read_bytes()))
    out = Pipe()
    monkeypatch.setattr("sys.stdout", out)
    assert main(["encode", "-", "-"]) == 0
    assert out.buffer.getvalue() == Path("a.glic").read_bytes()
    monkeypatch.setattr("sys.stdin", Pipe(out.buffer.getvalue()))
    image = Pipe()
    monkeypatch.setattr("sys.stdout", image)
    assert main(["decode", "-", "-", "--format", "webp"]) == 0
    assert Image.open(image.buffer).format == "WEBP"


def test_many_files_are_the_same_as_single_ones() -> None:
    assert main(["encode", "a.png", "b.jpg", "-o", "out"]) == 0
    for name in ("a.png", "b.jpg"):
        assert main(["encode", name, "single.glic", "--force"]) == 0
        assert Path("single.glic").read_bytes() == (Path("out") / name).with_suffix(".glic").read_bytes()
    assert main(["decode", "out/a.glic", "out/b.glic", "-o", "back", "--format", "tif"]) == 0
    assert sorted(os.listdir("back")) == ["a.tif", "b.tif"]


def test_one_bad_file_is_named_and_the_others_go_on(capsys: Capture, folder: Path) -> None:
    Path("bad.png").write_bytes(b"not an image")
    assert main(["encode", "a.png", "bad.png", "missing.png", "b.jpg", "-o", "out"]) == 1
    assert sorted(os.listdir("out")) == ["a.glic", "b.glic"]
    said = capsys.readouterr().err
    assert "glic encode: bad.png: This is not an image that Pillow can read." in said
    assert "glic encode: missing.png: No such file or directory (missing.png)." in said
    assert "2 of 4 files failed." in said
    assert leftovers(folder) == []


def test_nothing_is_overwritten_unasked(capsys: Capture) -> None:
    Path("a.glic").write_bytes(b"precious")
    assert main(["encode", "a.png", "a.glic"]) == 1
    assert Path("a.glic").read_bytes() == b"precious"
    assert "a.glic exists; overwrite it with --force." in capsys.readouterr().err
    assert main(["encode", "a.png", "a.glic", "--force"]) == 0
    assert Path("a.glic").read_bytes()[:4] == b"GLIC"


def test_a_failed_write_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    Path("a.glic").write_bytes(b"precious")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert main(["encode", "a.png", "a.glic", "--force"]) == 1
    assert Path("a.glic").read_bytes() == b"precious"
    assert leftovers(folder) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["encode", "a.png", "no/where.glic"], "The folder no does not exist; create it first."),
        (["encode", "a.png", "."], ". is a folder"),
        (["decode", "a.png", "a.png", "--force"], "Input and output are the same file"),
        (["encode", "a.png", "x.glic", "--device", "abacus"], "cannot use the device 'abacus'"),
        (["encode", "a.png", "x.glic", "--device", "meta"], "cannot use the device 'meta'"),
        (["encode", "a.png", "x.glic", "--max-pixels", "100"], "--max-pixels"),
        (["encode", "a.png", "x.glic", "--weights", "no.safetensors"], "no weights at"),
        (["encode", "a.png", "x.glic", "--quality", "50"], "'tiny' code at one rate"),
        (["decode", "a.png", "x.png"], "not a .glic file"),
        (["info", "a.png"], "not a .glic file"),
        (["info", "missing"], "missing"),
    ],
)
def test_errors_are_one_sentence(arguments: list[str], sentence: str, capsys: Capture) -> None:
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1 and "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["encode", "a.png"], "give one input and one output"),
        (["encode", "a.png", "b.jpg", "c"], "give one input and one output"),
        (["encode", "a.png", "a.jpg", "-o", "out"], "would both become"),
        (["encode", "-", "-o", "out"], "standard input has no name"),
        (["encode", "a.png", "b"], "b should end in .glic"),
        (["encode", "a.png", "b", "--threads", "0"], "not at least 1"),
        (["encode", "a.png", "b", "--threads", "100000"], "on this machine, not 100000"),
        (["encode", "a.png", "b", "--quality", "101"], "from 0 to 100, not 101"),
        (["encode", "a.png", "b", "--quality", "high"], "invalid float value: 'high'"),
        (["encode", "a.png", "b", "--target-bytes", "0"], "above 0, not 0 bytes"),
        (["encode", "a.png", "b", "--target-psnr", "nan"], "above 0, not nan dB"),
        (["encode", "a.png", "b", "--quality", "5", "--target-bpp", "1"], "not allowed with argument"),
        (["decode", "a.glic", "a.xyz"], "should end in one of .png"),
    ],
)
def test_wrong_usage_is_code_2(arguments: list[str], sentence: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert sentence in capsys.readouterr().err


def test_notes_are_printed(capsys: Capture) -> None:
    with Image.open("a.png") as image:
        image.save("noted.jpg", comment=b"hello")
    assert main(["encode", "noted.jpg", "noted.glic"]) == 0
    assert "note: Not kept: comment." in capsys.readouterr().err


def test_16_bit_and_animations_need_permission() -> None:
    Image.fromarray(np.full((5, 5), 4000, np.uint16)).save("deep.png")
    assert main(["encode", "deep.png", "deep.glic"]) == 1
    assert main(["encode", "deep.png", "deep.glic", "--reduce-16bit"]) == 0
    frames = [Image.new("L", (9, 9), level) for level in (0, 200)]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
    assert main(["encode", "moving.gif", "moving.glic"]) == 1
    assert main(["encode", "moving.gif", "moving.glic", "--first-frame"]) == 0


def test_threads_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", asked.append)
    assert main(["encode", "a.png", "a.glic", "--threads", "2"]) == 0
    assert asked == [2]


def test_info(capsys: Capture) -> None:
    main(["encode", "a.png", "a.glic"])
    capsys.readouterr()
    assert main(["info", "a.glic", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["model"], facts["width"], facts["height"], facts["mode"]) == ("tiny", 56, 40, "RGB")
    assert facts["bytes"] == os.path.getsize("a.glic")
    assert facts["bpp"] == pytest.approx(8 * facts["bytes"] / (56 * 40))
    assert main(["info", "a.glic", "a.glic", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == {"file": "a.glic", **facts}
    assert main(["info", "a.glic"]) == 0
    text = capsys.readouterr().out
    assert "width           56" in text and f"latents {facts['streams']['latents']}" in text


def test_a_device_file_is_not_replaced() -> None:
    assert main(["encode", "a.png", "/dev/null"]) == 0
    assert not Path("/dev/null").is_file()


DAMAGED = {
    "empty": (lambda data: b"", "The file is empty"),
    "cut4": (lambda data: data[:3], "ends inside its first four bytes"),
    "cut5": (lambda data: data[:4], "ends before its version"),
    "header": (lambda data: data[:30], "ends inside its header"),
    "cut": (lambda data: data[:-1], "bytes; copy or download it again"),
    "longer": (lambda data: data + b"\n", "goes on after its last stream"),
    "newer": (
        lambda data: data[:4] + b"\x09" + data[5:],
        "format version 9 and this program reads",
    ),
    "older": (lambda data: data[:4] + b"\x00" + data[5:], "no format version 0"),
    "flipped": (
        lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
        "checksum of the latents stream",
    ),
    "zeros": (lambda data: bytes(3000), "This is not a .glic file: it is zeros"),
    "page": (lambda data: b"<!DOCTYPE html><title>404</title>", "it is a web page"),
    "image": (lambda data: Path("a.png").read_bytes(), "it is a PNG image; glic encode makes"),
}


@pytest.mark.parametrize("piped", [False, True])
def test_what_is_wrong_with_a_file_is_said(
    piped: bool, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `info` and by `decode` in the same words, and the good file among them is decoded."""
    main(["encode", "a.png", "good.glic"])
    good = Path("good.glic").read_bytes()
    sentences = {f"{name}.glic": sentence for name, (_, sentence) in DAMAGED.items()}
    for name, (damage, _) in DAMAGED.items():
        Path(f"{name}.glic").write_bytes(damage(good))
    capsys.readouterr()
    for name, sentence in sentences.items():
        if piped:
            monkeypatch.setattr("sys.stdin", Pipe(Path(name).read_bytes()))
        assert main(["info", "-" if piped else name]) == 1
        said = capsys.readouterr().err
        assert sentence in said and said.count("\n") == 1 and said.endswith(".\n")
    if not piped:
        assert main(["decode", *sentences, "good.glic", "-o", "out"]) == 1
        said = capsys.readouterr().err
        for name, sentence in sentences.items():
            assert any(name in line and sentence in line for line in said.splitlines())
        assert f"{len(sentences)} of {len(sentences) + 1} files failed" in said
        assert [path.name for path in Path("out").iterdir()] == ["good.png"]


def test_a_bar_for_large_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts what is done of every phase; smaller images have none."""
    shown: list[tuple[int, int, str]] = []
    monkeypatch.setattr(FileBatch, "steps", lambda _, *step: shown.append(step))
    assert main(["encode", "a.png", "a.glic"]) == main(["decode", "a.glic", "a.png", "--force"]) == 0
    assert not shown
    monkeypatch.setattr(jobs, "BAR_FROM", 56 * 40 - 1)
    for command, phases in (
        (["encode", "a.png", "a.glic", "--force"], ["analysis", "entropy coding"]),
        (["decode", "a.glic", "b.bmp"], ["entropy coding", "synthesis"]),
    ):
        shown.clear()
        assert main(command) == 0
        assert [*dict.fromkeys(text for *_, text in shown)] == phases
        for phase in phases:
            done = [step for step, total, text in shown if text == phase and total == 100]
            assert done == sorted(done) and done[0] == 0 and done[-1] == 100
