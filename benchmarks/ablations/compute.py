"""What the full budget of an ablation would take: steps of its configuration, operations by formula."""

from __future__ import annotations

from dataclasses import dataclass

from hydra.utils import instantiate
from omegaconf import OmegaConf

from benchmarks.ablations.training import Run
from benchmarks.flops import glic_flops
from glic_pyg.models.glic import GLIC

__all__ = ["Compute", "full_compute"]

BACKWARD = 2
"""A backward pass counts as two forward passes."""


@dataclass(frozen=True)
class Compute:
    """Of one training.

    Attributes:
        steps: of the optimizer.
        step: operations of one.
        total: operations of all.
        parameters: of the model.
    """

    steps: int
    step: float
    total: float
    parameters: int


def full_compute(row: str) -> Compute:
    """Of the full budget of ``conf/experiment/ablation/ROW.yaml``; all its steps take as many pixels."""
    import torch

    cfg = Run(row, seed=0).config("full")
    with torch.device("meta"):
        model: GLIC = instantiate(cfg.model)
    side, batch = cfg.data.crop, cfg.data.batch_size
    stages = zip(cfg.schedule.batches, cfg.schedule.crops, strict=True)
    pixels = {round(batch * b) * round(side * c) ** 2 for b, c in stages}
    assert pixels == {batch * side**2}, "stages of unequal size need an operation count each"
    flops = glic_flops(OmegaConf.to_container(cfg.model, resolve=True) | model.config, side, side)
    forward = flops.analysis + flops.synthesis + flops.encode_networks
    step = batch * ((1 + BACKWARD) * forward + flops.learning_degrees)
    return Compute(cfg.steps, step, cfg.steps * step, sum(p.numel() for p in model.parameters()))
