"""Rate and quality of a run on the test sets, and the records of the finished runs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.metrics import psnr
from glic_pyg.regularizer.regularizer import entropy_bound
from glic_pyg.training.module import CodecModule
from glic_pyg.training.validation import measure_image
from studies.images import TestImages, TrainingImages
from studies.rate_distortion import Point
from studies.records import Record, RunRecords
from studies.regularizer.plan import Run, Study
from studies.regularizer.training import build_module, load_weights, save_weights, train

__all__ = ["Finished", "Results", "bound_at", "entropies", "files"]

MIDDLE = 50.0
"""Quality at which Ĥ_θ of a model of every rate is measured."""


def bound_at(psnr_db: float) -> float:
    """The bound of H(X|X̂) at a PSNR in dB, in bits per pixel."""
    return entropy_bound(10 ** (-psnr_db / 10))


def files(
    module: CodecModule, images: Sequence[Tensor], qualities: Sequence[float | None]
) -> list[list[Point]]:
    """Rate of the ``.glic`` file and PSNR of what is decoded from it, of every image at every quality.

    Args:
        module: a trained codec, its quantiles solved.
        images: (1, 3, H, W) in [0, 1].
        qualities: 0 to 100, or ``(None,)`` for a model of one rate.

    Returns:
        For each quality a point for each image.
    """
    codec = ImageCodec(module.model.eval(), "study", hashlib.sha256(b"study").hexdigest())
    points: list[list[Point]] = [[] for _ in qualities]
    for x in images:
        pixels = (255 * x[0]).round().byte().permute(1, 2, 0)
        prepared = codec.prepare(pixels.numpy())
        for found, quality in zip(points, qualities, strict=True):
            data = prepared.at(quality).data
            decoded = torch.tensor(codec.decode(data).array)
            error = psnr(decoded[None] / 255, pixels[None] / 255)
            found.append(Point(8 * len(data) / pixels[..., 0].numel(), float(error)))
    return points


def entropies(module: CodecModule, images: Sequence[Tensor]) -> dict[str, float]:
    """Means over images of ``H_theta`` and its bound ``H_bound``, in bits per pixel.

    The bound is that of the mean squared error of x_hat after clamping. It holds nevertheless, since a
    function of x_hat has no more information about x than x_hat.
    """
    module.eval()
    at = None if module.model.rates is None else MIDDLE
    found = [measure_image(module.model, x, module.loss, module.regularizer, at)[0] for x in images]
    return {
        "H_theta": fmean(float(row["H_theta"]) for row in found),
        "H_bound": fmean(bound_at(float(row["psnr"])) for row in found),
    }


@dataclass(frozen=True)
class Finished:
    """A branch and its record.

    The record has ``training``, what was logged, and ``sets``: by name, ``points`` (see :func:`files`) and,
    of the first set, :func:`entropies`.
    """

    run: Run
    record: Record


class Results:
    """The weights and records of the finished runs.

    Args:
        folder: of both, created if it does not exist.
        study: the settings.
    """

    def __init__(self, folder: Path, study: Study) -> None:
        self.records = RunRecords(folder)
        self.study = study

    def finished(self, runs: list[Run]) -> Iterator[Finished]:
        """Those of the branches that are trained."""
        for run in runs:
            record = self.record(run)
            if record is not None and run.is_branch:
                yield Finished(run, record)

    def record(self, run: Run) -> Record | None:
        """The record of a run; ``None`` if it is not trained.

        Raises:
            GlicError: it was made with other settings.
        """
        return self.records.read(run.name, self._settings(run))

    def complete(self, run: Run, training: TrainingImages | None, images: TestImages) -> None:
        """Train and measure the run, as far as that is not done.

        Args:
            run: its parent must be complete.
            training: images to train on; with ``None`` a run without weights is skipped.
            images: sets to measure on; Ĥ_θ is measured on the first of them.
        """
        record = self.record(run)
        if record is None and training is not None:
            record = self._train(run, training)
        if record is not None and run.is_branch:
            self._measure(run, record, images)

    def _train(self, run: Run, training: TrainingImages) -> Record:
        """Train a run from its parent; keep weights and record."""
        parent = self.records.file(run.parent, "pt") if run.parent else None
        start = time.process_time()
        module, metrics = train(run, self.study, training, parent)
        seconds = time.process_time() - start
        save_weights(module, self.records.file(run.name, "pt"))
        record = {"settings": self._settings(run), "training": metrics, "seconds": seconds, "sets": {}}
        self.records.write(run.name, record)
        return record

    def _measure(self, run: Run, record: Record, images: TestImages) -> None:
        """Measure the sets that a record lacks, or all if it was measured in another way."""
        how = {"side": self.study.side, "limit": self.study.limit}
        if record.get("measured") != how:
            record |= {"measured": how, "sets": {}}
        missing = images.keys() - record["sets"].keys()
        if not missing:
            return
        module = build_module(run, self.study)
        load_weights(module, self.records.file(run.name, "pt"))
        first = next(iter(images))
        for name in missing:
            record["sets"][name] = {"points": files(module, images[name], self.study.qualities(run.codec))}
            if name == first and module.regularizer is not None:
                record["sets"][name] |= entropies(module, images[name])
        self.records.write(run.name, record)

    def _settings(self, run: Run) -> Record:
        """What a run depends on: not the strengths and λ of other runs, so that more can be added later."""
        common = {name: getattr(self.study, name) for name in ("batch_size", "crop", "images")}
        codec = {k: v for k, v in self.study.codecs[run.codec].items() if k not in ("alphas", "lmbdas")}
        return {"run": asdict(run), "codec": codec, **common}
