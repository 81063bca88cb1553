"""Whatever a file brings on, it is named in one sentence and the next file runs."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from glic_pyg.cli.console import sentence_of, shown
from glic_pyg.cli.main import main
from glic_pyg.codec import image_file
from glic_pyg.codec.image_codec import ImageCodec

pytestmark = pytest.mark.usefixtures("tiny_weights", "folder")
Capture = pytest.CaptureFixture[str]

ERRORS = {
    "MemoryError": MemoryError(),
    "RecursionError": RecursionError("maximum recursion depth exceeded"),
    "struct.error": struct.error("unpack requires a buffer of 4 bytes"),
    "UnicodeError": UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
    "OSError": OSError("image file is truncated\n(3 bytes not processed)"),
    "KeyError": KeyError("Orientation"),
    "SyntaxError": SyntaxError("broken PNG file"),
    "AssertionError": AssertionError(),
    "RuntimeError": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: can't allocate memory"
    ),
}


def failing(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, target: Any, name: str, nth: int = 1
) -> None:
    """Let the nth call of a function fail; the others do what they do."""
    works, calls = getattr(target, name), [0]

    def fail(*args: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == nth:
            raise error
        return works(*args, **options)

    monkeypatch.setattr(target, name, fail)


def one_sentence_about(name: str, said: str, command: str) -> None:
    (line,) = [line for line in said.splitlines() if f"glic {command}: {name}: " in line]
    assert len(line) > len(f"glic {command}: {name}: ") + 10
    assert "Traceback" not in said and "1 of 2 files failed." in said


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_encode_and_decode(error: Exception, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        failing(patch, error, image_file, "read_image")
        assert main(["encode", "a.png", "b.jpg", "-o", "out"]) == 1
    assert os.listdir("out") == ["b.glic"]
    one_sentence_about("a.png", capsys.readouterr().err, "encode")
    main(["encode", "a.png", "b.jpg", "-o", "out", "--skip-existing"])
    capsys.readouterr()
    failing(monkeypatch, error, ImageCodec, "decode", nth=2)
    assert main(["decode", "out/a.glic", "out/b.glic", "-o", "back"]) == 1
    assert os.listdir("back") == ["a.png"]
    one_sentence_about("out/b.glic", capsys.readouterr().err, "decode")


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_compare(error: Exception, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, error, ImageCodec, "decode")
    assert main(["compare", "a.png", "b.jpg", "--json", "out.json"]) == 1
    assert [image["image"] for image in json.loads(Path("out.json").read_text())["images"]] == ["b"]
    one_sentence_about("a.png", capsys.readouterr().err, "compare")


def test_info(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    main(["encode", "a.png", "a.glic"])
    Path("cut.glic").write_bytes(Path("a.glic").read_bytes()[:-1])
    capsys.readouterr()
    assert main(["info", "cut.glic", "a.glic"]) == 1
    said = capsys.readouterr()
    one_sentence_about("cut.glic", said.err, "info")
    assert "a.glic\nmodel           tiny\n" in said.out


@pytest.mark.parametrize("error", [MemoryError(), struct.error("unpack requires a buffer of 4 bytes")])
def test_single_images_are_named_too(
    error: Exception, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("inspect", "demo"):
        failing(monkeypatch, error, image_file, "image_from_pillow")
        assert main([command, "a.png"]) == 1
        last = capsys.readouterr().err.splitlines()[-1]
        assert last.startswith(f"glic {command}: a.png: ")


def test_an_interruption_ends_the_batch(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyboardInterrupt(), image_file, "read_image", nth=2)
    assert main(["encode", "a.png", "b.jpg", "-o", "out"]) == 130
    assert os.listdir("out") == ["a.glic"]
    assert capsys.readouterr().err.endswith("glic encode: interrupted; no unfinished file was left.\n")


def test_what_fails_for_every_file_is_said_once(capsys: Capture) -> None:
    assert main(["encode", "a.png", "b.jpg", "-o", "out", "--device", "abacus"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["encode", "a.png", "b.jpg", "-o", "out", "--weights", "missing.safetensors"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "missing.safetensors" in said


def test_a_full_disk_is_said_for_each_file(capsys: Capture, full_disk: Any, folder: Path) -> None:
    full_disk(Path("a.glic"))
    assert main(["encode", "a.png", "b.jpg", "-o", "out"]) == 1
    assert "glic encode: a.png: No space left on device." in capsys.readouterr().err
    assert os.listdir("out") == ["b.glic"]


def test_the_traceback_is_there_for_those_who_ask(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIC_TRACEBACK", "1")
    failing(monkeypatch, KeyError("x"), image_file, "read_image")
    assert main(["encode", "a.png", "a.glic"]) == 1
    said = capsys.readouterr().err
    assert "Unexpected error (KeyError: 'x')" in said and "Traceback" in said and "read_image" in said


@pytest.mark.parametrize("name", ["a" * 120, "run 1\n\x1b[31m" + "圖" * 40])
def test_names_of_weights_that_a_header_cannot_hold(name: str, capsys: Capture) -> None:
    from glic_pyg.models.glic import GLIC
    from glic_pyg.models.weights import save_weights

    sizes = {"widths": (4, 8, 8, 8), "gated_depth": 1, "gated_expansion": 1, "gfa_depth": 1, "heads": 2}
    context = {"context_expansion": 1, "context_width": 4, "parameter_width": 4}
    model = GLIC(**sizes, gfa_expansions=(1, 1), hyper_channels=4, hyper_depth=1, groups=(4, 4), **context)
    weights = f"{name}.safetensors"
    save_weights(weights, model, {})
    assert main(["encode", "a.png", "a.glic", "--weights", weights]) == 0
    assert main(["decode", "a.glic", "back.png", "--weights", weights]) == 0
    main(["info", "a.glic", "--json"])
    stored = json.loads(capsys.readouterr().out)["model"]
    assert 1 <= len(stored.encode()) <= 100 and stored.isprintable() and stored[:5] == name[:5]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("plain é 写 😀.png", "plain é 写 😀.png"),
        ("a\nb\x1b[1m", r"a\nb\x1b[1m"),
        ("\udcff.png", r"\udcff.png"),
    ],
)
def test_names_are_shown_on_one_line(path: str, text: str) -> None:
    assert shown(path) == text
    assert sentence_of(FileNotFoundError(2, "No such file or directory", path)).endswith(f"({text}).")
