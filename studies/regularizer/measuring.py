"""Rate and quality of a finished run on sets of images, and the records of the study's runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from glic_pyg.codec.image_codec import ImageCodec
from glic_pyg.data.image_file import ImageFile
from glic_pyg.data.index import build_catalogue
from glic_pyg.regularizer.regularizer import entropy_bound
from glic_pyg.training.module import CodecModule
from glic_pyg.training.validation import measure_image
from studies.records import Record, RunRecords
from studies.regularizer.plan import Run, Study
from studies.regularizer.training import build_module, load_weights, save_weights, train
from studies.short_runs import TrainingPictures

__all__ = [
    "Finished",
    "Pictures",
    "Results",
    "bound_at",
    "estimate_and_file",
    "find_sets",
    "load_pictures",
    "measure",
]


Pictures = Mapping[str, Sequence[Tensor]]
"""Sets by name; each picture (1, 3, H, W) in [0, 1]."""


def find_sets(kodak: Path, ood: Path) -> tuple[dict[str, Path], list[Path]]:
    """Folders of test pictures by the name of the set, and those that are not there.

    Args:
        kodak: the set ``"kodak"``.
        ood: each folder in it is a set; without folders it is one itself.
    """
    inside = sorted(path for path in ood.iterdir() if path.is_dir()) if ood.is_dir() else []
    wanted = {"kodak": kodak, **{path.name: path for path in inside or [ood]}}
    return (
        {name: path for name, path in wanted.items() if path.is_dir()},
        [path for path in wanted.values() if not path.is_dir()],
    )


def load_pictures(folders: Mapping[str, Path], side: int, limit: int) -> Pictures:
    """The centre of every picture, ``side`` pixels square or, of a smaller one, as large as it is.

    Args:
        folders: by the name of the set.
        side: of the crop.
        limit: most pictures of a set, evenly taken from it.

    Raises:
        DataError: a folder holds no picture.
    """
    return {
        name: [_centre(file.decode(), side) for file in _evenly(build_catalogue(folder).files, limit)]
        for name, folder in folders.items()
    }


def _evenly(files: Sequence[ImageFile], limit: int) -> Sequence[ImageFile]:
    return files[:: -(-len(files) // limit)]


def _centre(pixels: object, side: int) -> Tensor:
    x = torch.as_tensor(pixels).permute(2, 0, 1)[None]
    top, left = (max(0, (size - side) // 2) for size in x.shape[-2:])
    return x[..., top : top + side, left : left + side].float() / 255


def bound_at(psnr_db: float) -> float:
    """The bound of H(X|X̂) at a PSNR in dB, in bits per pixel."""
    return entropy_bound(10 ** (-psnr_db / 10))


def measure(module: CodecModule, pictures: Sequence[Tensor], entropy: bool) -> dict[str, float]:
    """Means over pictures: estimated bpp, PSNR in dB and, where asked for, Ĥ_θ and its bound.

    The bound is that of the mean squared error of x_hat clamped and rounded to 8 bits. It holds all the same:
    a function of x_hat tells no more about x than x_hat does.
    """
    module.eval()
    regularizer = module.regularizer if entropy else None
    rows = []
    for x in pictures:
        figures, _ = measure_image(module.model, x, module.loss, regularizer)
        row = {name: float(value) for name, value in figures.items() if name != "loss"}
        if "H_theta" in row:
            row["H_bound"] = bound_at(row["psnr"])
        rows.append(row)
    return {name: fmean(row[name] for row in rows) for name in rows[0]}


def estimate_and_file(module: CodecModule, x: Tensor) -> dict[str, float]:
    """Bits that the likelihoods predict for a picture, and bits of its real ``.glic`` file."""
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
    """The weights and the record of every run that is done.

    Args:
        folder: of both, made if it is not there.
        study: the settings.
    """

    def __init__(self, folder: Path, study: Study) -> None:
        self.records = RunRecords(folder)
        self.study = study

    def finished(self, runs: list[Run]) -> Iterator[Finished]:
        """Those of the runs that are trained, the bases left out."""
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

    def complete(self, run: Run, training: TrainingPictures | None, pictures: Pictures) -> None:
        """Train the run and measure it, as far as that is not done.

        Args:
            run: its parent must be complete.
            training: pictures to train on; ``None`` only measures, with weights that are there.
            pictures: sets to measure on; Ĥ_θ is measured on the first of them.
        """
        record = self.record(run)
        if record is None and training is not None:
            record = self._train(run, training)
        if record is not None and run.kind != "base":
            self._measure(run, record, pictures)

    def _train(self, run: Run, training: TrainingPictures) -> Record:
        """Train a run from its parent; keep weights and record."""
        parent = self.records.file(run.parent, "pt") if run.parent else None
        module, figures = train(run, self.study, training, parent)
        save_weights(module, self.records.file(run.name, "pt"))
        record = {"settings": self._settings(run), "training": figures, "sets": {}}
        self.records.write(run.name, record)
        return record

    def _measure(self, run: Run, record: Record, pictures: Pictures) -> None:
        """Add to a record the sets that it does not have; measured in another way they do not count."""
        how = {"side": self.study.side, "limit": self.study.limit}
        if record.get("measured") != how:
            record |= {"measured": how, "sets": {}}
        missing = pictures.keys() - record["sets"].keys()
        if not missing:
            return
        module = build_module(run, self.study)
        load_weights(module, self.records.file(run.name, "pt"))
        first = next(iter(pictures))
        for name in missing:
            record["sets"][name] = measure(module, pictures[name], entropy=name == first)
        if run.kind == "plain":
            record["bits"] = estimate_and_file(module, pictures[first][0])
        self.records.write(run.name, record)

    def _settings(self, run: Run) -> Record:
        common = {name: getattr(self.study, name) for name in ("batch_size", "crop", "pictures")}
        return {"run": asdict(run), "codec": self.study.codecs[run.codec], **common}
