"""The commands of docs/training.md do what the page says, on a tiny model and a few images."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from PIL import Image

from glic_pyg.cli import train
from glic_pyg.cli.hydra import run_hydra_app
from tests.cli import fake_slurm
from tests.cli.tiny_run import ROOT, run_command, tiny_options

PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines() if line.startswith("glic ")]
COMMANDS = [line for line in LINES if line.startswith("glic train ")]
SWEEPS = [command for command in COMMANDS if " -m " in command]
TWO_PROCESSES = [command for command in COMMANDS if "devices=2" in command and command not in SWEEPS]
RUNS = [
    command
    for command in COMMANDS
    if command not in SWEEPS + TWO_PROCESSES
    and not re.search("experiment=|loss=ms_ssim|trainer=gpu", command)
]
PLUGINS = {"parallel": "joblib", "slurm": "submitit", "ray_cluster": "ray"}


def overrides(command: str) -> list[str]:
    return shlex.split(command)[2:]


@pytest.mark.parametrize("command", LINES)
def test_it_composes(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every override is known; of a sweep, in every job."""
    for launcher, plugin in PLUGINS.items():
        if f"launcher={launcher}" in command:
            pytest.importorskip(f"hydra_plugins.hydra_{plugin}_launcher")
    seen = []

    def job(cfg: DictConfig) -> None:
        seen.append((cfg.name, HydraConfig.get().runtime.output_dir))

    monkeypatch.setattr("glic_pyg.cli.sweep.Sweep.on_multirun_end", lambda *_, **__: None)
    here = [o for o in overrides(command) if not o.startswith("hydra")]
    assert run_hydra_app(command.split()[1], job, [*here, f"paths.runs={tmp_path}"]) == 0
    folders = {folder for _, folder in seen}
    assert len(folders) == len(seen) >= (2 if " -m " in command else 1)
    if " -m " in command:
        (name,) = {name for name, _ in seen}
        assert all(Path(folder).is_relative_to(tmp_path / name) for folder in folders)


def small(command: str, folder: Path) -> list[str]:
    """The command with few steps of small crops, in a folder of its own."""
    (folder / "images").mkdir(exist_ok=True)
    Image.radial_gradient("L").resize((128, 136)).save(folder / "images/a.png")
    kept = [o for o in overrides(command) if not o.startswith(("data.root=", "data.val_root="))]
    kept = [o.replace("runs/first", f"{folder}/runs/first") for o in kept]
    return [
        *kept,
        f"paths.runs={folder}/runs",
        f"data.root={folder}/images",
        f"data.val_root={folder}/images",
        f"data.cache={folder}/cache",
        "data.batch_size=1",
        "data.crop=128",
        "steps=2",
        "logger=csv",
        "trainer.val_check_interval=2",
    ]


@pytest.mark.slow
def test_runs(tmp_path: Path) -> None:
    """One after the other: later ones go on from, or begin with, what earlier ones have made."""
    assert len(RUNS) >= 8
    for command in RUNS:
        arguments = small(command, tmp_path)
        if "model=" not in command:
            arguments += ["model=hyperprior_s"]
        if "micro_batches=4" in command:
            arguments += ["data.batch_size=4", "model=glic_xs"]
        assert train.main(arguments) == 0, command
    kept = re.findall(r"^\| (`.*?) \|", PAGE.partition("## Settings")[0], re.MULTILINE)
    named = {name for cell in kept for name in re.findall(r"`([^`]+)`", cell)} - {"tensorboard/"}
    missing = [name for name in named if not (tmp_path / "runs/first" / name).exists()]
    assert len(named) >= 7 and missing == []


@pytest.mark.slow
@pytest.mark.parametrize("command", TWO_PROCESSES)
def test_two_processes(command: str, tmp_path: Path) -> None:
    check_two_processes(tmp_path, overrides(command)[0], ["glic", *shlex.split(command)[1:]])


@pytest.mark.slow
def test_torchrun(tmp_path: Path) -> None:
    (line,) = [line for block in BLOCKS for line in block.splitlines() if line.startswith("torchrun ")]
    check_two_processes(tmp_path, "name=big", shlex.split(line))


@pytest.mark.slow
def test_slurm(tmp_path: Path) -> None:
    (script,) = [block for block in BLOCKS if block.startswith("#!/bin/bash")]
    more = shlex.join(tiny_options(tmp_path))
    (tmp_path / "job.sh").write_text(script.rstrip() + f" {more}\n")
    check_two_processes(tmp_path, "name=big", ["sbatch", "--in-background", str(tmp_path / "job.sh")], [])


def check_two_processes(folder: Path, name: str, command: list[str], more: list[str] | None = None) -> None:
    """The command ends well, in one folder, with two processes taking part."""
    more = tiny_options(folder) if more is None else more
    done = run_command(*command, *more, **fake_slurm.install(folder / "bin"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in (folder / "runs").iterdir()] == [name.partition("=")[2]]
    check_run(folder / "runs" / name.partition("=")[2])


def check_run(run: Path) -> None:
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == 4
    assert (run / "metrics.json").exists() and (run / ".hydra/config.yaml").exists()
    assert {path.name for path in run.glob("*.log")} - {"console.log"} == {"train.log"}
    assert len((run / "train.log").read_text().split("training in ")) == 2


@pytest.mark.slow
def test_a_sweep_of_jobs_of_two_processes(tmp_path: Path) -> None:
    (command,) = [command for command in SWEEPS if "trainer=ddp" in command]
    words = [*shlex.split(command), *tiny_options(tmp_path)]
    done = run_command(*words, **fake_slurm.install(tmp_path / "bin"))
    assert done.returncode == 0, done.stdout + done.stderr
    runs = sorted(path.parent for path in (tmp_path / "runs").rglob("last.ckpt"))
    assert [str(run.relative_to(tmp_path / "runs")) for run in runs] == [
        f"rates/loss.lmbda={lmbda}" for lmbda in ("0.0018", "0.0035")
    ]
    for run in runs:
        check_run(run)
    assert (tmp_path / "runs/rates/table.md").read_text().count("| finished |") == 2
