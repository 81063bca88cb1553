"""One run of the study: the shipped weights with one setting changed, trained on as by ``glic train``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from benchmarks.training_step import silent_fit
from glic_pyg.cli.hydra import config_dir
from glic_pyg.codec.weights_store import load_shipped
from glic_pyg.models.glic import GLIC
from glic_pyg.models.init import grow, klt_init
from glic_pyg.training.module import CodecModule
from glic_pyg.training.quantiles import solve_quantiles
from glic_pyg.training.validation import measure_image
from studies.images import Crops, TestImages, TrainingImages
from studies.records import Record, RunRecords

__all__ = [
    "QUALITIES",
    "TEST_SET",
    "Kind",
    "Results",
    "Run",
    "build_module",
    "measure",
    "override_of",
    "settings_of",
    "train",
]

TEST_SET = "val"
"""Name of the measured set in the records."""
QUALITIES = (10, 30, 50, 70, 90)
"""At which a run is measured."""

Kind = Literal["swapped", "tuned", "scratch"]
"""Of a run: the shipped weights with the setting changed; these trained on; trained without them."""

_NO_GRAPHS = {
    "sobel_rms": "graph=released",
    "encoder": "model.gfa_in=encoder",
    "decoder": "model.gfa_in=decoder",
    "context": "model.context_gfa_depth=2",
}
_SCRATCH_BATCHES = 16
_SCRATCH_RATE = 1e-3


def override_of(row: str) -> str:
    """The setting of ``glic train`` that a row varies: the graph of its name, or a part of the model."""
    return _NO_GRAPHS.get(row, f"graph={row}")


@dataclass(frozen=True)
class Run:
    """One training, or the weights before it.

    Attributes:
        row: name of a row, see :func:`override_of`.
        seed: of crops, noise and what is not taken from the shipped weights; the same for every row, so that
            rows differ only in their setting.
        kind: with what it begins, and whether it is trained.
        steps: ``None`` for those of the experiment.
    """

    row: str
    seed: int
    kind: Kind = "tuned"
    steps: int | None = None

    @property
    def name(self) -> str:
        """File name of the run."""
        return f"{self.row}-{self.kind}-s{self.seed}"

    def config(self, experiment: str = "ablation") -> DictConfig:
        """The configuration of ``glic train experiment=EXPERIMENT OVERRIDE seed=SEED``."""
        overrides = [f"experiment={experiment}", override_of(self.row), f"seed={self.seed}"]
        if self.steps is not None:
            overrides.append(f"steps={self.steps}")
        if self.kind == "scratch":
            overrides += ["grow_from=null", f"optim.codec.lr={_SCRATCH_RATE}"]
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return compose("train", overrides)


def settings_of(run: Run) -> dict[str, Any]:
    """The part of the configuration that the results of a run depend on."""
    cfg = run.config()
    keys = ["seed", "model", "grow_from"]
    if run.kind != "swapped":
        keys += ["steps", "loss", "schedule", "optim"]
    return {name: _plain(cfg[name]) for name in keys} | {n: cfg.data[n] for n in ("batch_size", "crop")}


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def build_module(cfg: DictConfig) -> CodecModule:
    """The LightningModule before the first step, with the weights that it begins with, if they are given."""
    torch.manual_seed(cfg.seed)
    module: CodecModule = instantiate(cfg.module)
    if cfg.grow_from is not None:
        grow(_glic(module), load_shipped(cfg.grow_from).model, _no_channels_are_added)
        module.is_initialized = True
    return module


def _glic(module: CodecModule) -> GLIC:
    assert isinstance(module.model, GLIC)
    return module.model


def _no_channels_are_added() -> Tensor:
    raise AssertionError("rows change no width")


def train(run: Run, images: TrainingImages) -> CodecModule:
    """Train a run as its experiment says, and solve its quantiles."""
    cfg = run.config()
    module = build_module(cfg)
    if run.kind == "swapped":
        return module
    crops = images.crops(run.seed, cfg.steps)
    if run.kind == "scratch":
        klt_init(_glic(module), _first(crops), cfg.loss.lmbda)
    silent_fit(module, crops, cfg.steps, accelerator="auto")
    solve_quantiles(module.model)
    return module


def _first(crops: Crops) -> Tensor:
    return torch.cat([crops[step].x for step in range(min(_SCRATCH_BATCHES, len(crops)))])


def measure(module: CodecModule, images: Sequence[Tensor]) -> dict[str, list[float]]:
    """Means over images (1, 3, H, W) at each of :data:`QUALITIES`: estimated ``bpp``, and ``psnr`` in dB."""
    module.eval()
    device = next(module.parameters()).device
    look = partial(measure_image, module.model, loss=module.loss)
    rows = [[look(x.to(device), quality=quality)[0] for x in images] for quality in QUALITIES]
    return {name: [fmean(float(row[name]) for row in at) for at in rows] for name in ("bpp", "psnr")}


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
        return {**settings_of(run), "side": self.side, "qualities": list(QUALITIES)}
