"""What is known of the runs: a small JSON file each, kept between calls of the command."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from benchmarks.ablations.training import Run, settings_of, train
from benchmarks.training_pictures import TrainingPictures
from glic_pyg.codec.errors import GlicError
from glic_pyg.evaluation.psnr import psnr
from glic_pyg.training.codec_module import CodecModule
from glic_pyg.training.validation import measure_picture

__all__ = ["Record", "Results", "measure"]

Record = dict[str, Any]
"""``settings``, ``parameters``, ``seconds`` of training; ``sets``: by name the figures of :func:`measure`."""


def measure(module: CodecModule, pictures: Sequence[Tensor]) -> dict[str, float]:
    """Means over pictures (1, 3, H, W): estimated ``bpp``, ``psnr`` in dB, ``loss`` = bpp + λ 255² MSE."""
    module.eval()
    device = next(module.parameters()).device
    rows = [measure_picture(module.model, x.to(device), module.loss, psnr)[0] for x in pictures]
    return {name: fmean(float(row[name]) for row in rows) for name in ("bpp", "psnr", "loss")}


class Results:
    """A folder with the record of every run that is done.

    Args:
        folder: made if it is not there.
        side: of the crops that are measured. Records of other settings are refused, so that a table is of one
            study.
    """

    def __init__(self, folder: Path, side: int) -> None:
        self.folder = folder
        self.side = side
        folder.mkdir(parents=True, exist_ok=True)

    def record(self, run: Run) -> Record | None:
        """The record of a run; ``None`` if it is not trained.

        Raises:
            GlicError: it was made with other settings.
        """
        path = self._file(run)
        if not path.is_file():
            return None
        record: Record = json.loads(path.read_text(encoding="utf-8"))
        if record["settings"] != self._settings(run):
            raise GlicError(f"{path} was made with other settings; choose another --folder or remove it.")
        return record

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
        partial = self._file(run).with_suffix(".part")
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        partial.replace(self._file(run))
        return record

    def _file(self, run: Run) -> Path:
        return self.folder / f"{run.name}.json"

    def _settings(self, run: Run) -> Record:
        """As JSON would give it back."""
        settings: Record = json.loads(json.dumps({**settings_of(run), "side": self.side}))
        return settings
