"""The loader's benchmark, on images and a model that take no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.loader import Loader, consumption, main, table
from tests.training.tiny_codec import TinyCodec


def test_every_way_of_keeping_images_has_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.png")
    options = ["--crop", "8", "--batches", "1", "--workers", "0", "1", "--device", "cpu"]
    assert main(["--data", str(tmp_path), *options]) == 0
    said = capsys.readouterr().out
    assert "1 images, 0 Mpixel" in said
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| ")][1:]
    assert [row[0] for row in rows] == ["| on disk, workers: 0", "| on disk, workers: 1", "| in memory, cpu"]
    assert all(int(row[3].split()[0]) > 0 for row in rows)


def test_the_loader_is_divided_by_the_step() -> None:
    text = table([(Loader("tape", iter(()), 1.25, 3_000_000_000), 90.0)], {"tiny": 30.0})
    assert text.splitlines()[0].endswith("× a step of tiny (30 crops/s) |")
    assert text.splitlines()[2] == "| tape | 1.2 | 3.00 | 90 | 3.0 |"


def test_steps_train() -> None:
    model = TinyCodec()
    before = model.g_a.weight.clone()
    assert consumption(model, torch.rand(1, 3, 16, 16), 1) > 0
    assert not torch.equal(model.g_a.weight, before)
