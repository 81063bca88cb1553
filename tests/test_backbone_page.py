"""docs/backbone.md to the letter: a package of somebody else's trains, writes files and passes the tests."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "backbone.md").read_text(encoding="utf-8")
FILES = re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines()
]
SMALLER = [
    "steps=4",
    "data.crop=64",
    "data.batch_size=2",
    "trainer.accelerator=cpu",
    "trainer.val_check_interval=2",
]
"""Overrides that make a test of the page's training."""
SMALL_MODEL = ["model.channels=8", "model.latent_channels=12"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as the page writes it, installed into ``site`` beside two images."""
    folder = tmp_path_factory.mktemp("pebble")
    for name, text in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "images").mkdir()
    sample = Image.open(ROOT / "data" / "samples" / "dog.png").convert("RGB")
    for number in range(2):
        sample.crop((200 + 90 * number, 200, 330 + 90 * number, 300)).save(folder / f"images/{number}.png")
    sample.crop((160, 180, 290, 250)).save(folder / "photo.png")
    assert COMMANDS[0] == "pip install ."
    run(folder, sys.executable, "-m", "pip", "install", ".", "--quiet", "--no-index", "--no-deps",
        "--no-build-isolation", "--target", "site")  # fmt: skip
    return folder


def run(folder: Path, *words: str) -> str:
    path = os.pathsep.join([str(folder / "site"), str(ROOT)])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    where = ROOT if "pytest" in words else folder
    done = subprocess.run(words, cwd=where, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.timeout(600)
def test_every_command_of_the_page(folder: Path) -> None:
    for line in COMMANDS[1:-1]:
        program, *arguments = shlex.split(line)
        assert program == "glic"
        if arguments[0] == "train":
            arguments += SMALLER + SMALL_MODEL
        run(folder, sys.executable, "-m", "glic_pyg", *arguments)
    photo, back = (np.asarray(Image.open(folder / name)) for name in ("photo.png", "back.png"))
    assert photo.shape == back.shape
    weights = folder / "runs" / "first" / "pebble.safetensors"
    assert weights.is_file()
    run(folder, sys.executable, "-c", USES_WEIGHTS, str(weights))


USES_WEIGHTS = """
import sys, torch
from glic_pyg.models.weights import load_weights
from pebble_codec import Pebble
model = load_weights(sys.argv[1]).train()
assert type(model) is Pebble
model(torch.rand(1, 3, 64, 64))["x_hat"].sum().backward()
assert all(p.grad.abs().sum() > 0 for p in model.g_a.parameters()), "the encoder learns"
"""


@pytest.mark.timeout(600)
def test_the_tests_of_all_backbones(folder: Path) -> None:
    program, *arguments = shlex.split(COMMANDS[-1])
    assert program == "pytest"
    closing = run(folder, sys.executable, "-m", program, "-q", "-p", "no:xdist", *arguments).splitlines()[-1]
    assert int(closing.split(" passed")[0]) >= 15, closing
