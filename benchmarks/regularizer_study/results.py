"""What is known of the runs: a small JSON file each, kept between calls of the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.regularizer_study.measuring import Pictures, estimate_and_file, measure
from benchmarks.regularizer_study.plan import Run, Study
from benchmarks.regularizer_study.training import build_module, load_weights, save_weights, train
from benchmarks.training_pictures import TrainingPictures

__all__ = ["Finished", "Results", "StudyError"]

Record = dict[str, Any]


class StudyError(Exception):
    """The study cannot go on; the message is one sentence for the user."""


@dataclass(frozen=True)
class Finished:
    """A run and its record: ``training`` (means of its second half) and ``sets`` (see ``measure``)."""

    run: Run
    record: Record


class Results:
    """A folder with the weights and the record of every run that is done.

    Args:
        folder: made if it is not there.
        study: the settings. Records of other settings are refused, so that a table is of one study.
    """

    def __init__(self, folder: Path, study: Study) -> None:
        self.folder = folder
        self.study = study
        folder.mkdir(parents=True, exist_ok=True)

    def finished(self, runs: list[Run]) -> Iterator[Finished]:
        """Those of the runs that are trained, the bases left out."""
        for run in runs:
            record = self.record(run)
            if record is not None and run.kind != "base":
                yield Finished(run, record)

    def record(self, run: Run) -> Record | None:
        """The record of a run; ``None`` if it is not trained.

        Raises:
            StudyError: it was made with other settings.
        """
        path = self._file(run.name, "json")
        if not path.is_file():
            return None
        record: Record = json.loads(path.read_text(encoding="utf-8"))
        if record["settings"] != self._settings(run):
            raise StudyError(f"{path} was made with other settings; choose another --folder or remove it.")
        return record

    def complete(self, run: Run, training: TrainingPictures | None, pictures: Pictures) -> None:
        """Train the run and measure it, as far as that is not done.

        Args:
            run: its parent must be complete.
            training: pictures to train on; ``None`` only measures, with weights that are there.
            pictures: sets to measure on; Ĥ_θ is measured on the first of them.
        """
        record = self.record(run)
        if record is None and training is not None:
            parent = self._file(run.parent, "pt") if run.parent else None
            module, figures = train(run, self.study, training, parent)
            save_weights(module, self._file(run.name, "pt"))
            record = {"settings": self._settings(run), "training": figures, "sets": {}}
            self._write(run, record)
        if record is None or run.kind == "base":
            return
        how = {"side": self.study.side, "limit": self.study.limit}
        if record.get("measured") != how:
            record |= {"measured": how, "sets": {}}
        if pictures.keys() <= record["sets"].keys():
            return
        module = build_module(run, self.study)
        load_weights(module, self._file(run.name, "pt"))
        first = next(iter(pictures))
        for name in pictures.keys() - record["sets"].keys():
            record["sets"][name] = measure(module, pictures[name], entropy=name == first)
        if run.kind == "plain":
            record["bits"] = estimate_and_file(module, pictures[first][0])
        self._write(run, record)

    def _write(self, run: Run, record: Record) -> None:
        path = self._file(run.name, "json")
        partial = path.with_name(path.name + ".part")
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)

    def _file(self, name: str, suffix: str) -> Path:
        return self.folder / f"{name}.{suffix}"

    def _settings(self, run: Run) -> Record:
        """All that the run's numbers hang on, as JSON would give it back."""
        common = {name: getattr(self.study, name) for name in ("batch_size", "crop", "pictures")}
        settings = {"run": asdict(run), "codec": self.study.codecs[run.codec], **common}
        plain: Record = json.loads(json.dumps(settings))
        return plain
