"""``glic encode --effort``: what it says, what it shows, and how it is stopped."""

from __future__ import annotations

import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glic_pyg.cli.console import FileBatch
from glic_pyg.cli.encode import _summary
from glic_pyg.cli.main import main
from glic_pyg.codec.effort import DESCENTS
from glic_pyg.codec.file_search import Candidate, FileSearch
from glic_pyg.codec.results import Encoded, Won

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.usefixtures("tiny_variable_weights", "folder")


def test_it_says_what_it_won() -> None:
    won = Won(6, 50, bytes=800, psnr_before=30.0, psnr_after=30.25, gain=0.0712)
    found = Encoded(b"x" * 760, 100, 80, 50.0, 6000, None, (), won=won)
    assert _summary(found) == (
        "760 bytes, 0.760 bpp, quality 50; effort 6, 50 steps: 800 -> 760 bytes, "
        "30.00 dB -> 30.25 dB (-7.1 % at equal quality)"
    )
    nothing = replace(found, won=replace(won, gain=0.0))
    assert _summary(nothing).endswith("; effort 6 found nothing better")


def test_a_seed_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[tuple[int, str]] = []

    def improve(self: FileSearch, plain: Candidate, encode: Any) -> Candidate:
        seeds.append((self._effort.seed, self._effort.metric))
        return plain

    monkeypatch.setattr(FileSearch, "improve", improve)
    assert main(["encode", "a.png", "a.glic", "--effort", "3", "--seed", "4"]) == 0
    assert main(["encode", "a.png", "b.glic", "--effort", "3"]) == 0
    assert seeds == [(4, "psnr"), (0, "psnr")]


def test_targets(capsys: Capture) -> None:
    assert main(["encode", "a.png", "a.glic", "--effort", "2", "--target-psnr", "24"]) == 0
    assert "effort 2" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--effort", "10"], ["--effort", "x"], ["--effort-metric", "vmaf"]])
def test_nonsense_is_wrong_usage(option: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["encode", "a.png", "a.glic", *option])


def test_ctrl_c_keeps_what_was_found(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one ends the search of this image; the command goes on and listens again afterwards."""
    shown: list[tuple[int, int, str]] = []

    def steps(self: FileBatch, done: int, total: int, text: str) -> None:
        shown.append((done, total, text))
        if len(shown) == 4:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(FileBatch, "steps", steps)
    assert main(["encode", "a.png", "b.jpg", "-o", ".", "--effort", "5"]) == 0
    planned = DESCENTS[4].steps
    assert [done for done, *_ in shown] == [1, 2, 3, 4, *range(1, planned + 1)]
    assert re.fullmatch(r"search, [+-]?\d+ bytes", shown[0][2]) and shown[0][1] == planned
    said = capsys.readouterr().err
    assert ("effort 5, 4 steps" in said or "found nothing better" in said) and Path("a.glic").is_file()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(FileBatch, "steps", steps)
    assert main(["encode", "a.png", "a.glic", "--effort", "1"]) == 130
    assert not Path("a.glic").exists()


def test_a_bar_of_its_own_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with FileBatch("encode", 2) as batch:
        with batch.file("a.png"):
            batch.steps(3, 10, "search, -20 bytes")
            assert batch._bar is not None
            assert [(t.description, t.completed, t.total) for t in batch._bar.tasks] == [
                ("a.png", 0, 2),
                ("search, -20 bytes", 3, 10),
            ]
        assert [t.completed for t in batch._bar.tasks] == [1]
