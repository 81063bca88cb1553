"""The table of a race: what a run cost in the end, and which comes first."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from glic_pyg.cli.hydra import config_dir
from studies.shipping.compare_runs import main
from tests.models.conftest import TINY

QUALITIES = (0, 100)


def write_run(folder: Path, lr: float, losses: list[tuple[float, float]]) -> None:
    """A run of a tiny model: its configuration, and a validation after every second step."""
    tiny = [
        f"model.{name}={list(value) if isinstance(value, tuple) else value}" for name, value in TINY.items()
    ]
    overrides = ["model=glic_xs", "model.levels=[0.01,0.04]", "loss.lmbda=0.02", "loss.balance=1", *tiny]
    overrides += [f"optim.codec.lr={lr}", "data.batch_size=1", "data.crop=128", "steps=4"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", [*overrides, f"module.val_qualities={[*QUALITIES]}"])
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(cfg, folder / ".hydra/config.yaml")
    names = [f"val/{what}@{quality}" for quality in QUALITIES for what in ("loss", "bpp", "psnr")]
    lines = [",".join(["step", "train/loss", *names]), "0,1.5,,,,,,"]
    lines += [f"{2 * i + 1},,{low},0.1,28,{high},0.9,36" for i, (low, high) in enumerate(losses)]
    (folder / "metrics").mkdir()
    (folder / "metrics/metrics.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def race(tmp_path: Path) -> Path:
    write_run(tmp_path / "a", 0.5, [(0.9, 0.9), (0.3, 0.8)])
    write_run(tmp_path / "b", 0.25, [(0.2, 0.8)])
    return tmp_path


def rows(printed: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")][1:]


def test_the_best_comes_first(race: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(race), "--markdown"]) == 0
    first, second = rows(capsys.readouterr().out)
    assert first[:5] == ["2", "1×128²", "Adam", "0.25", "0.4000"]  # (2 * 0.2 + 0.8 / 2) / 2
    assert second[3:5] == ["0.5", "0.5000"]
    assert first[5] == "0.100 bpp, 28.00 dB"
    assert all(float(seconds) > 0 for seconds in first[-2:])


def test_progress_shows_every_validation(race: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(race), "--markdown", "--progress"]) == 0
    found = rows(capsys.readouterr().out)
    assert [row[0] for row in found] == ["2", "4", "2"]
    assert [row[4] for row in found] == ["1.1250", "0.5000", "0.4000"]


def test_no_runs_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "no run in" in capsys.readouterr().err
