"""One short run of an experiment, with the configuration and LightningModule of ``glic train``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from benchmarks.training_step import silent_fit
from glic_pyg.cli.hydra import config_dir
from glic_pyg.training.module import CodecModule
from glic_pyg.training.quantiles import solve_quantiles
from glic_pyg.training.validation import measure_image
from studies.images import TestImages, TrainingImages
from studies.records import Record, RunRecords

__all__ = ["TEST_SET", "Results", "Run", "build_module", "measure", "override_of", "settings_of", "train"]

TEST_SET = "val"
"""Name of the measured set in the records."""

_NO_GRAPHS = {
    "sobel_rms": "graph=released",
    "encoder": "model.gfa_in=encoder",
    "decoder": "model.gfa_in=decoder",
    "context": "model.context_gfa_depth=2",
}


def override_of(row: str) -> str:
    """The setting of ``glic train`` that a row varies: the graph of its name, or a part of the model."""
    return _NO_GRAPHS.get(row, f"graph={row}")


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        row: name of a row, see :func:`override_of`.
        seed: of weights, crops and noise; the same for every row, so that rows differ only in their graphs.
        steps: ``None`` for those of the budget.
    """

    row: str
    seed: int
    steps: int | None = None

    @property
    def name(self) -> str:
        """File name of the run."""
        return f"{self.row}-s{self.seed}"

    def config(self, experiment: str = "ablation") -> DictConfig:
        """The configuration of ``glic train experiment=EXPERIMENT OVERRIDE seed=SEED``."""
        overrides = [f"experiment={experiment}", override_of(self.row), f"seed={self.seed}"]
        if self.steps is not None:
            overrides.append(f"steps={self.steps}")
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return compose("train", overrides)


def settings_of(run: Run) -> dict[str, Any]:
    """The part of the configuration that the results of a run depend on."""
    cfg = run.config()
    keys = ("seed", "steps", "model", "loss", "schedule", "optim")
    return {name: _plain(cfg[name]) for name in keys} | {n: cfg.data[n] for n in ("batch_size", "crop")}


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def build_module(cfg: DictConfig) -> CodecModule:
    """The LightningModule before the first step."""
    torch.manual_seed(cfg.seed)
    module: CodecModule = instantiate(cfg.module)
    return module


def train(run: Run, images: TrainingImages) -> CodecModule:
    """Train a run from scratch as its experiment says, and solve its quantiles."""
    cfg = run.config()
    module = build_module(cfg)
    crops = images.crops(run.seed, cfg.steps)
    start = cfg.callbacks.start
    x = torch.cat([crops[step].x for step in range(min(start.batches, len(crops)))])
    instantiate(start.start)(module.model, x)
    silent_fit(module, crops, cfg.steps, accelerator="auto")
    solve_quantiles(module.model)
    return module


def measure(module: CodecModule, images: Sequence[Tensor]) -> dict[str, float]:
    """Means over images (1, 3, H, W): estimated ``bpp``, ``psnr`` in dB, ``loss`` = bpp + λ 255² MSE."""
    module.eval()
    device = next(module.parameters()).device
    rows = [measure_image(module.model, x.to(device), module.loss)[0] for x in images]
    return {name: fmean(float(row[name]) for row in rows) for name in ("bpp", "psnr", "loss")}


class Results:
    """The finished runs of the study.

    A record has ``settings``, ``parameters``, ``seconds`` of training, and ``sets``: the metrics of
    :func:`measure` by test set.

    Args:
        folder: of the records, created if it does not exist.
        side: of the measured crops, in pixels.
    """

    def __init__(self, folder: Path, side: int) -> None:
        self.records = RunRecords(folder)
        self.side = side

    def record(self, run: Run) -> Record | None:
        """The record of a run; ``None`` if it is not trained.

        Raises:
            GlicError: it was made with other settings.
        """
        return self.records.read(run.name, self._settings(run))

    def complete(self, run: Run, training: TrainingImages, sets: TestImages) -> Record:
        """Train the run and measure it."""
        start = time.process_time()
        module = train(run, training)
        seconds = time.process_time() - start
        with torch.no_grad():
            metrics = {name: measure(module, images) for name, images in sets.items()}
        record = {
            "settings": self._settings(run),
            "parameters": sum(p.numel() for p in module.model.parameters()),
            "seconds": seconds,
            "sets": metrics,
        }
        self.records.write(run.name, record)
        return record

    def _settings(self, run: Run) -> Record:
        return {**settings_of(run), "side": self.side}
