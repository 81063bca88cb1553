"""Rate and quality of a run on the test sets, and the records of the finished runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from torch import Tensor

from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.regularizer.regularizer import entropy_bound
from glic_pyg.training.module import CodecModule
from glic_pyg.training.validation import measure_image
from studies.images import TestImages, TrainingImages
from studies.records import Record, RunRecords
from studies.regularizer.plan import Run, Study
from studies.regularizer.training import build_module, load_weights, save_weights, train

__all__ = [
    "Finished",
    "Results",
    "bound_at",
    "estimate_and_file",
    "measure",
]


def bound_at(psnr_db: float) -> float:
    """The bound of H(X|X̂) at a PSNR in dB, in bits per pixel."""
    return entropy_bound(10 ** (-psnr_db / 10))


def measure(module: CodecModule, images: Sequence[Tensor], entropy: bool) -> dict[str, float]:
    """Means over images: estimated bpp, PSNR in dB and, if ``entropy``, Ĥ_θ and its bound.

    The bound is that of the mean squared error of x_hat after rounding to 8 bits. It holds nevertheless,
    since a function of x_hat has no more information about x than x_hat.
    """
    module.eval()
    regularizer = module.regularizer if entropy else None
    rows = []
    for x in images:
        metrics, _ = measure_image(module.model, x, module.loss, regularizer)
        row = {name: float(value) for name, value in metrics.items() if name != "loss"}
        if "H_theta" in row:
            row["H_bound"] = bound_at(row["psnr"])
        rows.append(row)
    return {name: fmean(row[name] for row in rows) for name in rows[0]}


def estimate_and_file(module: CodecModule, x: Tensor) -> dict[str, float]:
    """Bits that the likelihoods predict for an image, and bits of its ``.glic`` file."""
    pixels = (255 * x[0]).round().byte().permute(1, 2, 0).numpy()
    codec = ImageCodec(module.model, "study", hashlib.sha256(b"study").hexdigest())
    encoded = codec.encode(pixels, estimate=True)
    assert encoded.estimated_bits is not None
    return {"estimated": encoded.estimated_bits, "file": 8.0 * len(encoded.data)}


@dataclass(frozen=True)
class Finished:
    """A run and its record: ``training`` (means of its second half) and ``sets`` (see ``measure``)."""

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
        """Those of the runs that are trained, without the bases."""
        for run in runs:
            record = self.record(run)
            if record is not None and run.kind != "base":
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
        if record is not None and run.kind != "base":
            self._measure(run, record, images)

    def _train(self, run: Run, training: TrainingImages) -> Record:
        """Train a run from its parent; keep weights and record."""
        parent = self.records.file(run.parent, "pt") if run.parent else None
        module, metrics = train(run, self.study, training, parent)
        save_weights(module, self.records.file(run.name, "pt"))
        record = {"settings": self._settings(run), "training": metrics, "sets": {}}
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
            record["sets"][name] = measure(module, images[name], entropy=name == first)
        if run.kind == "plain":
            record["bits"] = estimate_and_file(module, images[first][0])
        self.records.write(run.name, record)

    def _settings(self, run: Run) -> Record:
        common = {name: getattr(self.study, name) for name in ("batch_size", "crop", "images")}
        return {"run": asdict(run), "codec": self.study.codecs[run.codec], **common}
