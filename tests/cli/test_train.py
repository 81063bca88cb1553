"""`glic train`: composing, running, refusing, sweeping."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from glic_pyg.cli.train import config_dir, main

CONF = Path(__file__).parent / "conf"


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """Overrides for a run of seconds."""
    (tmp_path / "pictures").mkdir()
    for number in range(2):
        Image.radial_gradient("L").resize((40, 48)).rotate(45 * number).save(
            tmp_path / f"pictures/{number}.png"
        )
    return [
        f"hydra.searchpath=[file://{CONF}]",
        "model=tiny",
        f"paths.data={tmp_path}",
        f"paths.runs={tmp_path}/runs",
        "data.root=${paths.data}/pictures",
        "data.val_root=${paths.data}/pictures",
        "data.batch_size=1",
        "data.crop=32",
        "steps=4",
        "trainer.accelerator=cpu",
        "trainer.val_check_interval=2",
        "trainer.log_every_n_steps=1",
        "callbacks.export.save={_target_:hydra.utils.get_method,path:tests.cli.test_train.save_plain}",
    ]


def save_plain(path: Path, model: torch.nn.Module, card: dict) -> None:
    """Stands in for models.weights.save_weights, which knows GLIC alone."""
    torch.save(model.state_dict(), path)
    path.with_name("card.json").write_text(json.dumps(card))


def test_a_run_keeps_what_it_needs(options: list[str], tmp_path: Path) -> None:
    assert main(["name=a", *options]) == 0
    run = tmp_path / "runs/a"
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == 4
    card = json.loads((run / "card.json").read_text())
    assert card["step"] == 4 and card["model"] == "tiny" and card["lmbda"] == 0.013
    assert "torch" in json.loads((run / "run.json").read_text())["packages"]
    assert "val/psnr" in (run / "metrics/version_0/metrics.csv").read_text()
    with pytest.raises(SystemExit, match="exists already: go on with ckpt_path=last"):
        main(["name=a", *options])
    assert main(["name=a", *options, "steps=6", "ckpt_path=last"]) == 0
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == 6


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("data.root=/nowhere/at/all", "Data folder /nowhere/at/all does not exist"),
        ("ckpt_path=/no/file.ckpt", "Checkpoint /no/file.ckpt does not exist"),
    ],
)
def test_refusals_are_one_sentence(options: list[str], override: str, sentence: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*options, override])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_multirun_makes_a_folder_for_each_job(options: list[str], tmp_path: Path) -> None:
    assert main(["-m", "name=sweep", "loss.lmbda=0.01,0.02", *options]) == 0
    cards = [json.loads(path.read_text()) for path in (tmp_path / "runs/sweep").glob("*/card.json")]
    assert sorted(card["lmbda"] for card in cards) == [0.01, 0.02]


@pytest.mark.slow
def test_sigterm_leaves_a_checkpoint(options: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "glic_pyg.cli.train", "name=b", *options, "steps=100000"]
    command += ["callbacks.progress.every_n_steps=1", "trainer.val_check_interval=100000"]
    environment = {**os.environ, "PYTHONPATH": str(config_dir().parent)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = tmp_path / "runs/b/train.log"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.exists() and "step 5/" in log.read_text()):
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert torch.load(tmp_path / "runs/b/last.ckpt", weights_only=True)["global_step"] >= 5
