"""The study of effort: what is measured is kept, and the table says what it is worth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studies.effort import command
from studies.effort.report import Point, rows_of


def test_bd_rate_of_files_that_are_a_tenth_smaller() -> None:
    points = [
        Point(image, quality, level, bpp * (0.9 if level else 1), psnr, 20.0 if level else 2.0)
        for image in "ab"
        for level in (0, 5)
        for quality, bpp, psnr in ((10, 0.1, 28), (50, 0.4, 32), (90, 1.1, 37))
    ]
    (row,) = rows_of(points[:-1])  # an image without all of its qualities does not count
    assert row.images == ("a",)
    (row,) = rows_of(points)
    assert row.bd_rate == pytest.approx(-10, abs=0.3) and row.times == 10 and row.images == ("a", "b")


def test_a_study_is_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for name in "ab":
        Image.fromarray(rng.integers(0, 256, (70, 90, 3), np.uint8)).save(tmp_path / "images" / f"{name}.png")
    argv = ["--images", str(tmp_path / "images"), "--folder", str(tmp_path / "runs"), "--docs", str(tmp_path)]
    argv += ["--crop", "64", "--qualities", "20", "80", "--levels", "0", "1"]
    measured: list[int] = []
    real = command._measured

    def measure(codec: object, pixels: np.ndarray, quality: float, level: int) -> dict[str, float]:
        measured.append(level)
        if level == 0:
            return real(codec, pixels, quality, level)  # type: ignore[arg-type]
        return {**real(codec, pixels, quality, 0), "seconds": 3.0}  # type: ignore[arg-type]

    monkeypatch.setattr(command, "_measured", measure)
    for _ in range(2):
        assert command.main(argv) == 0
    assert sorted(measured) == [0] * 4 + [1] * 4
    page = (tmp_path / "effort.md").read_text()
    assert (
        "centre 64×64 pixels of all 2 images (a, b), qualities 20, 80" in page
        and "| 1 | 3 | +0.0 % |" in page
        and (tmp_path / "images" / "effort-64.svg").is_file()
    )
