"""A full disk costs figures, not the run."""

from __future__ import annotations

import csv
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from lightning.pytorch.callbacks import LambdaCallback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from glic_pyg.training.callbacks.interruptions import is_full_disk, outlive_full_disk, quiet_threads


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Inside, a file lies on a device without room; afterwards it is what it was."""
    aside = path.with_name("aside")
    path.rename(aside)
    path.symlink_to("/dev/full")
    yield
    aside.replace(path)


@pytest.fixture
def quiet():
    before = threading.excepthook
    quiet_threads()
    yield
    threading.excepthook = before


def test_a_file_of_figures_goes_on_when_there_is_room(
    make_module, make_data, make_trainer, tmp_path: Path, caplog
) -> None:
    logger = outlive_full_disk(CSVLogger(tmp_path, "csv", flush_logs_every_n_steps=1))
    path = Path(f"{tmp_path}/csv/version_0/metrics.csv")
    disk = ExitStack()
    start = LambdaCallback(
        on_train_batch_start=lambda trainer, *_: {
            3: lambda: disk.enter_context(full_disk(path)),
            6: disk.close,
        }.get(trainer.global_step, int)()
    )
    with caplog.at_level(logging.ERROR):
        make_trainer(9, logger=logger, callbacks=[start]).fit(make_module(), make_data(9))
    [told] = [record.getMessage() for record in caplog.records]
    assert told == "The disk is full: CSVLogger loses figures. Training goes on."
    with path.open() as file:
        assert {0, 1, 2, 6, 7, 8} <= {int(row["step"]) for row in csv.DictReader(file)}


def test_tensorboard_begins_a_new_file(tmp_path: Path, caplog, quiet) -> None:
    logger = outlive_full_disk(TensorBoardLogger(tmp_path, "tb", max_queue=1))
    logger.log_metrics({"x": 0.0}, 0)
    logger.save()
    [path] = Path(logger.log_dir).glob("events*")
    with full_disk(path), caplog.at_level(logging.ERROR):
        for step in range(1, 1000):
            logger.log_metrics({"x": 1.0}, step)
            logger.save()
            if caplog.records:
                break
    [told] = [record.getMessage() for record in caplog.records]
    assert told == "The disk is full: TensorBoardLogger loses figures. Training goes on."
    logger.log_metrics({"x": 2.0}, 5000)
    logger.finalize("success")
    events = EventAccumulator(logger.log_dir)
    events.Reload()
    assert {0, 5000} <= {event.step for event in events.Scalars("x")}


def test_other_errors_are_raised(tmp_path: Path) -> None:
    logger = outlive_full_disk(CSVLogger(tmp_path, "csv"))
    with pytest.raises(AttributeError):
        logger.log_metrics(None)


def test_an_error_that_was_made_of_a_full_disk() -> None:
    try:
        try:
            with open("/dev/full", "w") as file:
                file.write("x")
        except OSError as error:
            raise ValueError("cannot log") from error
    except ValueError as error:
        assert is_full_disk(error)
    assert not is_full_disk(OSError(2, "No such file"))
