"""Runs, their weights and what they measured: the records of the study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.regularizer_study.measuring import Pictures, estimate_and_file, measure
from benchmarks.regularizer_study.plan import Run, Study
from benchmarks.regularizer_study.training import build_module, load_weights, save_weights, train
from benchmarks.run_records import Record, RunRecords
from benchmarks.training_pictures import TrainingPictures

__all__ = ["Finished", "Results"]


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
