"""Runs and what they measured: the records of the ablations."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from benchmarks.ablations.training import Run, settings_of, train
from benchmarks.run_records import Record, RunRecords
from benchmarks.training_pictures import TrainingPictures
from glic_pyg.training.codec_module import CodecModule
from glic_pyg.training.validation import measure_picture

__all__ = ["Results", "measure"]


def measure(module: CodecModule, pictures: Sequence[Tensor]) -> dict[str, float]:
    """Means over pictures (1, 3, H, W): estimated ``bpp``, ``psnr`` in dB, ``loss`` = bpp + λ 255² MSE."""
    module.eval()
    device = next(module.parameters()).device
    rows = [measure_picture(module.model, x.to(device), module.loss)[0] for x in pictures]
    return {name: fmean(float(row[name]) for row in rows) for name in ("bpp", "psnr", "loss")}


class Results:
    """Every run that is done.

    Beside its settings a record has ``parameters``, ``seconds`` of training, and ``sets``: by name the
    figures of :func:`measure`.

    Args:
        folder: of the records, made if it is not there.
        side: of the crops that are measured, in pixels.
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

    def complete(self, run: Run, training: TrainingPictures, sets: Mapping[str, Sequence[Tensor]]) -> Record:
        """Train the run and measure it."""
        start = time.process_time()
        module = train(run, training)
        seconds = time.process_time() - start
        with torch.no_grad():
            figures = {name: measure(module, pictures) for name, pictures in sets.items()}
        record = {
            "settings": self._settings(run),
            "parameters": sum(p.numel() for p in module.model.parameters()),
            "seconds": seconds,
            "sets": figures,
        }
        self.records.write(run.name, record)
        return record

    def _settings(self, run: Run) -> Record:
        return {**settings_of(run), "side": self.side}
