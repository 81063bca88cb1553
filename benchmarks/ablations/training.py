"""One short run of an experiment, through the project's own configuration and LightningModule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from benchmarks.silent_fit import silent_fit
from benchmarks.training_pictures import TrainingPictures
from glic_pyg.cli.hydra_app import config_dir
from glic_pyg.training.codec_module import CodecModule
from glic_pyg.training.quantile_solver import solve_quantiles

__all__ = ["Run", "build_module", "settings_of", "train"]


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        row: name of an experiment in ``conf/experiment/ablation``.
        seed: of weights, crops and noise: the same for every row, so that rows differ in their graphs alone.
        steps: ``None`` for those of the budget.
    """

    row: str
    seed: int
    steps: int | None = None

    @property
    def name(self) -> str:
        """Fit for a file."""
        return f"{self.row}-s{self.seed}"

    def config(self, budget: str = "short") -> DictConfig:
        """What ``glic train experiment=ablation/ROW budget=BUDGET seed=SEED`` would run."""
        overrides = [f"experiment=ablation/{self.row}", f"budget={budget}", f"seed={self.seed}"]
        if self.steps is not None:
            overrides.append(f"steps={self.steps}")
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return compose("train", overrides)


def settings_of(run: Run) -> dict[str, Any]:
    """All of the configuration that a run's numbers hang on."""
    cfg = run.config()
    keys = ("seed", "steps", "model", "loss", "schedule", "optim")
    return {name: _plain(cfg[name]) for name in keys} | {n: cfg.data[n] for n in ("batch_size", "crop")}


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def build_module(cfg: DictConfig) -> CodecModule:
    """Codec and how it learns, before the first step."""
    torch.manual_seed(cfg.seed)
    module: CodecModule = instantiate(cfg.module)
    return module


def train(run: Run, pictures: TrainingPictures) -> CodecModule:
    """Train a run from scratch, as its experiment says; its quantiles are solved.

    Args:
        run: which experiment, which seed.
        pictures: to train on.
    """
    cfg = run.config()
    module = build_module(cfg)
    crops = pictures.crops(run.seed, cfg.steps)
    start = cfg.callbacks.start
    x = torch.cat([crops[step].x for step in range(min(start.batches, len(crops)))])
    instantiate(start.start)(module.model, x)
    silent_fit(module, crops, cfg.steps, accelerator="auto")
    solve_quantiles(module.model)
    return module
