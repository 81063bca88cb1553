"""`glic train` at a scale of seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from PIL import Image

ROOT = Path(__file__).parents[2]
CONF = Path(__file__).parent / "conf"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
GLIC = [sys.executable, "-m", "glic_pyg"]


def run_command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own; environment variables in addition to those of this one."""
    return subprocess.run(words, env=ENVIRONMENT | environment, capture_output=True, text=True)


def tiny_options(folder: Path) -> list[str]:
    """Overrides for a run of seconds on images that are made in ``folder``; runs go to ``folder/runs``."""
    (folder / "images").mkdir(exist_ok=True)
    for number in range(2):
        image = Image.radial_gradient("L").resize((40, 48)).rotate(45 * number)
        image.save(folder / f"images/{number}.png")
    return [
        f"hydra.searchpath=[file://{CONF}]",
        "model=tiny",
        f"paths.data={folder}",
        f"paths.runs={folder}/runs",
        "data.root=${paths.data}/images",
        "data.val_root=${paths.data}/images",
        "data.batch_size=2",
        "data.crop=32",
        "steps=4",
        "logger=csv",
        "trainer.accelerator=cpu",
        "trainer.val_check_interval=2",
        "trainer.log_every_n_steps=1",
        "callbacks.images.maps=null",  # the tiny codec has no latents to look into
        "callbacks.export.save={_target_:hydra.utils.get_method,path:tests.cli.tiny_run.save_plain}",
    ]


class SendSignals(Callback):
    """Sends this process signals inside a step."""

    def __init__(self, numbers: Sequence[int], step: int) -> None:
        self.numbers = numbers
        self.step = step

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        if trainer.global_step == self.step:
            for number in self.numbers:
                signal.raise_signal(number)


def save_plain(path: Path, model: torch.nn.Module, card: dict[str, Any]) -> None:
    """Stands in for models.weights.save_weights, which knows the real backbones alone."""
    torch.save(model.state_dict(), path)
    path.with_name("card.json").write_text(json.dumps(card))
