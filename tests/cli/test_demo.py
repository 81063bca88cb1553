"""``glic demo``: what it prints and what it leaves."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glic_pyg.cli.demo import OUTPUTS
from glic_pyg.cli.main import main

pytestmark = pytest.mark.usefixtures("tiny_weights", "folder")
Capture = pytest.CaptureFixture[str]


def test_a_picture_of_ones_own(capsys: Capture) -> None:
    assert main(["demo", "a.png", "-o", "out"]) == 0
    said = capsys.readouterr().out
    made = {pattern.format("a") for pattern in OUTPUTS} - {"a.graph.png", "a.graph.html"}  # it has no graphs
    assert set(os.listdir("out")) == made
    assert all(str(Path("out") / name) in said for name in made)
    numbers = json.loads(Path("out/a.json").read_text())["images"][0]["codecs"]
    for row, suffix in zip(numbers, ("glic", "jpg", "webp"), strict=True):
        assert row["size"] == os.path.getsize(f"out/a.{suffix}") and f"{row['psnr']:.3f}" in said
    main(["decode", "out/a.glic", "back.png"])
    with Image.open("back.png") as back, Image.open("out/a.glic.png") as decoded:
        assert np.array_equal(np.asarray(back), np.asarray(decoded))


def test_nothing_is_overwritten_unasked(capsys: Capture) -> None:
    os.mkdir("demo")
    Path("demo/a.jpg").write_bytes(b"precious")
    assert main(["demo", "a.png"]) == 1
    assert capsys.readouterr().err == "glic demo: demo/a.jpg exists; overwrite it with --force.\n"
    assert os.listdir("demo") == ["a.jpg"]
    assert main(["demo", "a.png", "--force"]) == 0
    assert Path("demo/a.jpg").read_bytes() != b"precious"


def test_a_picture_that_is_not_there(capsys: Capture) -> None:
    assert main(["demo", "missing.png"]) == 1
    assert capsys.readouterr().err == "glic demo: There is no image missing.png.\n"
    assert not Path("demo").exists()


def test_graphs_of_a_model_that_has_them(capsys: Capture) -> None:
    from glic_pyg.models.glic import GLIC
    from glic_pyg.models.weights import save_weights

    sizes = {"widths": (4, 8, 8, 8), "gated_depth": 1, "gated_expansion": 1, "gfa_depth": 1, "heads": 2}
    context = {"context_expansion": 1, "context_width": 4, "parameter_width": 4}
    model = GLIC(**sizes, gfa_expansions=(1, 1), hyper_channels=4, hyper_depth=1, groups=(4, 4), **context)
    save_weights("tiny.safetensors", model, {})
    assert main(["demo", "a.png", "--weights", "tiny.safetensors", "-o", "out"]) == 0
    assert set(os.listdir("out")) == {pattern.format("a") for pattern in OUTPUTS}
    assert Path("out/a.graph.png").read_bytes().startswith(b"\x89PNG")
    assert "<html" in Path("out/a.graph.html").read_text(encoding="utf-8")
    assert "out/a.graph.png" in capsys.readouterr().out
