"""``glic encode`` with weights of variable rate."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

import glic_pyg
from glic_pyg.cli.main import main

pytestmark = pytest.mark.usefixtures("tiny_variable_weights", "folder")
Capture = pytest.CaptureFixture[str]


def encoded(*options: str) -> bytes:
    assert main(["encode", "a.png", "a.glic", "--force", *options]) == 0
    return Path("a.glic").read_bytes()


def test_quality_is_said_and_kept(capsys: Capture) -> None:
    data = encoded("--quality", "37.255")
    assert f"{len(data)} bytes, {8 * len(data) / (56 * 40):.3f} bpp, quality 37.26" in capsys.readouterr().err
    main(["info", "a.glic"])
    assert "quality         37.26\n" in capsys.readouterr().out
    main(["info", "a.glic", "--json"])
    assert json.loads(capsys.readouterr().out)["quality"] == 37.26
    assert main(["decode", "a.glic", "back.png"]) == 0


def test_quality_costs_bytes() -> None:
    assert len(encoded("--quality", "0")) < len(encoded()) < len(encoded("--quality", "100"))
    assert encoded() == encoded("--quality", "50")


def test_targets(capsys: Capture) -> None:
    size = len(encoded("--quality", "80"))
    assert size * 0.98 <= len(encoded("--target-bytes", str(size))) <= size
    bpp = 8 * size / (56 * 40)
    assert bpp * 0.98 <= glic_pyg.open_info(encoded("--target-bpp", str(bpp))).bpp <= bpp
    finer, coarser = encoded("--target-psnr", "28"), encoded("--target-psnr", "25")
    assert len(finer) > len(coarser)
    reached = [
        float(psnr) for psnr in re.findall(r", quality [\d.]+, ([\d.]+) dB\n", capsys.readouterr().err)
    ]
    assert len(reached) == 2 and 28 <= reached[0] < 28.5 and 25 <= reached[1] < 25.5


def test_a_target_holds_for_every_file() -> None:
    assert main(["encode", "a.png", "b.jpg", "-o", "out", "--target-bytes", "150"]) == 0
    assert all(os.path.getsize(f"out/{name}.glic") <= 150 for name in "ab")


def test_out_of_reach_is_one_sentence(capsys: Capture) -> None:
    assert main(["encode", "a.png", "a.glic", "--target-bytes", "10"]) == 1
    said = capsys.readouterr().err
    assert "cannot be coded at 10 bytes: quality 0, the lowest, gives" in said and said.count("\n") == 1
    assert not Path("a.glic").exists()
    assert encoded("--target-bytes", "1000000") == encoded("--quality", "100")
    assert "note: Quality 100, the highest, needs only " in capsys.readouterr().err
    assert encoded("--target-psnr", "2") == encoded("--quality", "0")


def test_a_small_picture_that_misses_its_target_is_said(capsys: Capture) -> None:
    sizes = {len(encoded("--quality", str(quality))) for quality in range(0, 101, 5)}
    capsys.readouterr()
    target = next(size for size in range(min(sizes), max(sizes)) if size not in sizes)
    data = encoded("--target-bytes", str(target))
    note = "note: The nearest to" in capsys.readouterr().err
    assert len(data) <= target and note == (len(data) < 0.98 * target)
