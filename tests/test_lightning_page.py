"""docs/lightning.md to the letter: the script trains without Hydra, and its weights write files."""

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

from glic_pyg.cli.main import main
from glic_pyg.models.weights import read_card

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "lightning.md").read_text(encoding="utf-8")
[SCRIPT] = re.findall(r'^```python title="train.py"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL)
[COMMANDS] = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SMALLER = {
    "100_000": "2",
    '"val_check_interval": 2000': '"val_check_interval": 2',
    "batch_size=8, crop=256": "batch_size=1, crop=128",
}
"""What makes a test of the script: two steps of small crops."""
FIRST = "from glic_pyg import runtime\nruntime.prepare()\n"
LAST = "\nimport sys\nassert 'hydra' not in sys.modules\n"


def test_the_script_is_a_page() -> None:
    assert len([line for line in SCRIPT.splitlines() if line]) <= 25
    assert SCRIPT.count("glic_pyg") == len(re.findall(r"^from glic_pyg", SCRIPT, re.MULTILINE))


@pytest.mark.timeout(600)
def test_every_command_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SCRIPT
    for large, small in SMALLER.items():
        assert text.count(large) == 1
        text = text.replace(large, small)
    (tmp_path / "train.py").write_text(FIRST + text + LAST, encoding="utf-8")
    sample = Image.open(ROOT / "data" / "samples" / "dog.png").convert("RGB").crop((160, 180, 300, 320))
    for name in ("images/train/0.png", "images/val/0.png", "photo.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        sample.save(tmp_path / name)
    first, *others = COMMANDS.splitlines()
    assert first == "python train.py"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    monkeypatch.chdir(tmp_path)
    for line in others:
        program, *arguments = shlex.split(line)
        assert program == "glic" and main(arguments) == 0
    card = read_card(tmp_path / "runs/own/own.safetensors")
    assert card["step"] == 2 and card["val/psnr"] > 3
    assert (tmp_path / "runs/own/last.ckpt").is_file()
    assert np.asarray(Image.open(tmp_path / "back.png")).shape == (140, 140, 3)
