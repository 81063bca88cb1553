"""Whatever interrupts a save, a checkpoint that can be loaded remains."""

import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from glic_pyg import files
from glic_pyg.training.checkpoint_file import CheckpointError, WholeFileIO
from glic_pyg.training.last_checkpoint import LastCheckpoint
from tests.training.conftest import states_equal

FullDisk = Callable[[Path], None]


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "last.ckpt"
    WholeFileIO().save_checkpoint({"weights": torch.arange(5)}, path)
    assert torch.load(path, weights_only=True)["weights"].tolist() == [0, 1, 2, 3, 4]
    assert [entry.name for entry in path.parent.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("size", [10, 10**6])
def test_a_full_disk_leaves_the_file_of_before(tmp_path: Path, full_disk: FullDisk, size: int) -> None:
    path = tmp_path / "last.ckpt"
    full_disk(path)
    with pytest.raises(
        CheckpointError, match=r"last\.ckpt could not be written \(No space left on device\)\.$"
    ):
        WholeFileIO().save_checkpoint({"step": 0}, path)
    WholeFileIO().save_checkpoint({"step": 1}, path)
    full_disk(path)
    with pytest.raises(CheckpointError, match="the one of before is intact"):
        WholeFileIO().save_checkpoint({"step": 2, "weights": torch.zeros(size)}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.ckpt"]


def test_an_error_of_another_kind_is_not_renamed(tmp_path: Path) -> None:
    with pytest.raises((AttributeError, TypeError, RuntimeError), match=r"pickle|local"):
        WholeFileIO().save_checkpoint({"function": lambda: None}, tmp_path / "last.ckpt")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")  # the child does nothing with threads
def test_killed_while_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    WholeFileIO().save_checkpoint({"step": 1}, path)
    child = os.fork()
    if not child:
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        try:
            WholeFileIO().save_checkpoint({"step": 2, "weights": torch.zeros(1000)}, path)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    assert torch.load(path, weights_only=True) == {"step": 1}
    monkeypatch.setattr(files, "_cleaned", set())  # as a new process begins
    WholeFileIO().save_checkpoint({"step": 3}, path)
    assert torch.load(path, weights_only=True) == {"step": 3}
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.ckpt"]


def test_training_outlives_a_full_disk(
    make_module, make_data, make_trainer, tmp_path: Path, caplog, full_disk: FullDisk
) -> None:
    path = tmp_path / "last.ckpt"
    full_disk(path)
    module = make_module()
    with caplog.at_level(logging.ERROR):
        make_trainer(4, callbacks=[LastCheckpoint(str(path), every_n_steps=2)]).fit(module, make_data(4))
    assert caplog.text.count("No space left on device") == 1
    state = torch.load(path, weights_only=True)
    assert state["global_step"] == 4
    assert states_equal(state["state_dict"], module.state_dict())


def test_a_disk_that_is_full_at_the_end_is_an_error(
    make_module, make_data, make_trainer, tmp_path: Path, full_disk: FullDisk
) -> None:
    path = tmp_path / "last.ckpt"
    callback = LastCheckpoint(str(path), every_n_steps=2)
    trainer = make_trainer(3, callbacks=[callback])
    callback.on_train_end, end = lambda *a: (full_disk(path), end(*a)), callback.on_train_end
    with pytest.raises(CheckpointError, match="the one of before is intact"):
        trainer.fit(make_module(), make_data(3))
    assert torch.load(path, weights_only=True)["global_step"] in (2, 3)


def test_every_checkpoint_of_a_run_is_written_this_way(
    make_module, make_data, make_trainer, tmp_path: Path
) -> None:
    trainer = make_trainer(1, callbacks=[LastCheckpoint(str(tmp_path / "last.ckpt"))])
    trainer.fit(make_module(), make_data(1))
    synced = []
    os_fsync = os.fsync
    try:
        os.fsync = lambda number: synced.append(number) or os_fsync(number)
        trainer.save_checkpoint(tmp_path / "other.ckpt")
    finally:
        os.fsync = os_fsync
    assert len(synced) == 1
