"""What a run hands to sweepers and loggers, what it keeps, and what it says of its schedule."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from glic_pyg.cli import train
from glic_pyg.errors import GlicError
from tests.cli.tiny_run import tiny_options

BASIC, SEARCHING = "hydra._internal.BasicSweeper", "hydra_plugins.hydra_optuna_sweeper.OptunaSweeper"
METRICS = {"val/loss": 0.5, "val/bpp": 0.1}


@pytest.mark.parametrize(
    ("sweeper", "objective", "metrics", "expected"),
    [
        (SEARCHING, "val/loss", METRICS, 0.5),
        (BASIC, "val/bpp", METRICS, 0.1),
        (BASIC, "val/psnr", METRICS, None),
        (BASIC, None, METRICS, None),
        (SEARCHING, "val/loss", {}, None),  # the job failed
    ],
)
def test_objective(
    sweeper: str, objective: str | None, metrics: dict[str, float], expected: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settings = SimpleNamespace(sweeper=SimpleNamespace(_target_=sweeper))
    monkeypatch.setattr(train.HydraConfig, "get", lambda: settings)
    assert train._objective(OmegaConf.create({"objective": objective}), metrics) == expected


def test_a_search_for_what_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SimpleNamespace(sweeper=SimpleNamespace(_target_=SEARCHING))
    monkeypatch.setattr(train.HydraConfig, "get", lambda: settings)
    with pytest.raises(GlicError, match="objective=val/psnr is none of a run's metrics: val/bpp, val/loss"):
        train._objective(OmegaConf.create({"objective": "val/psnr"}), METRICS)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Lightning on its ModelCheckpoint
def test_a_run_keeps_its_best_and_tells_loggers_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = ["callbacks=keep", "callbacks.periodic.every_n_train_steps=2", "callbacks.best.save_top_k=1"]
    assert train.main(["name=a", "schedule.total_steps=100", *tiny_options(tmp_path), *keep]) == 0
    assert "the schedule is for 100 steps and the run ends after 4" in capsys.readouterr().out
    kept = sorted(path.name for path in (tmp_path / "runs/a/checkpoints").iterdir())
    assert len([name for name in kept if name.startswith("best-")]) == 1
    assert [name for name in kept if name.startswith("step-")] == ["step-step=2.ckpt", "step-step=4.ckpt"]
    (hparams,) = (tmp_path / "runs/a").rglob("hparams.yaml")
    assert OmegaConf.load(hparams).schedule.total_steps == 100
