"""Whatever interrupts a save, a checkpoint that can be loaded remains."""

import errno
import hashlib
import logging
import os
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from glic_pyg import files
from glic_pyg.training.callbacks.checkpoint import (
    KEYS,
    CheckpointError,
    LastCheckpoint,
    WholeFileIO,
    keep_previous,
    previous_of,
    read_checkpoint,
    verify_checkpoint,
)
from tests.training.conftest import states_equal

FullDisk = Callable[[Path], None]
STATE = {key: 0 for key in KEYS} | {"state_dict": {"w": torch.arange(100.0)}}


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


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "last.ckpt"
    WholeFileIO().save_checkpoint(STATE, path)
    return path


def test_the_checksum_is_the_comment_of_an_archive_that_others_can_read(checkpoint: Path) -> None:
    with zipfile.ZipFile(checkpoint) as archive:
        assert archive.testzip() is None
        body = checkpoint.read_bytes().removesuffix(archive.comment)
        assert archive.comment == b"glic-pyg sha256 " + hashlib.sha256(body).hexdigest().encode()
    assert torch.load(checkpoint, weights_only=True)["state_dict"]["w"].tolist() == list(range(100))


def test_any_flipped_bit_is_found(checkpoint: Path) -> None:
    """In tensors, where torch looks away, in padding, in the directory, and in the checksum itself."""
    whole = checkpoint.read_bytes()
    for place in [*range(0, len(whole), 37), *range(len(whole) - 110, len(whole))]:
        checkpoint.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(CheckpointError, match=r"last\.ckpt is damaged|is no checkpoint of glic train"):
            verify_checkpoint(checkpoint)
    checkpoint.write_bytes(whole)
    assert read_checkpoint(checkpoint)["global_step"] == 0


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_checkpoint_that_was_cut_off_is_damaged(checkpoint: Path, share: float) -> None:
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError, match=r"last\.ckpt is damaged: its bytes are not those"):
        WholeFileIO().load_checkpoint(checkpoint)


def test_a_flipped_bit_is_found_in_a_checkpoint_without_checksum(tmp_path: Path) -> None:
    path = tmp_path / "early.ckpt"
    torch.save(STATE, path)
    assert read_checkpoint(path)["global_step"] == 0
    whole = path.read_bytes()
    place = whole.index(torch.arange(100.0)[50:60].numpy().tobytes())
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    assert torch.load(path, weights_only=True)["state_dict"]["w"][50] != 50
    with pytest.raises(CheckpointError, match="is damaged"):
        read_checkpoint(path)


def test_the_one_before_is_kept_and_named(checkpoint: Path) -> None:
    keep_previous(checkpoint)
    WholeFileIO().save_checkpoint(STATE | {"global_step": 7}, checkpoint)
    assert read_checkpoint(previous_of(checkpoint))["global_step"] == 0
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"last-previous\.ckpt, which was saved before it, is whole\.$"):
        verify_checkpoint(checkpoint)


def test_a_full_disk_takes_no_checkpoint_away(checkpoint: Path, monkeypatch) -> None:
    """Where there is no room for a second name the first one stays."""

    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    keep_previous(checkpoint)
    assert read_checkpoint(checkpoint)["global_step"] == 0 and not previous_of(checkpoint).exists()


def test_the_one_before_is_kept_without_hard_links(checkpoint: Path, monkeypatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    keep_previous(checkpoint)
    WholeFileIO().save_checkpoint(STATE | {"global_step": 7}, checkpoint)
    assert read_checkpoint(previous_of(checkpoint))["global_step"] == 0
    assert read_checkpoint(checkpoint)["global_step"] == 7


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it is empty"),
        (b"\x89PNG\r\n", "its contents are of another kind"),
        (b"<!DOCTYPE html><html>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS"),
        (b"\x10\0\0\0\0\0\0\0" + b'{"w":{}}        ', "it is a safetensors file"),
        ({"model.g_a.weight": torch.zeros(3)}, "it has no state of a training"),
        ([1, 2], "it has no state of a training"),
        (Path("a"), "its contents are of another kind"),  # a pickle that is more than tensors
    ],
)
def test_other_files_are_refused_in_words(tmp_path: Path, content: object, sentence: str) -> None:
    path = tmp_path / "other.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(
        CheckpointError, match=f"other.ckpt is no checkpoint of glic train: {sentence}"
    ) as caught:
        read_checkpoint(path)
    assert "weights_only" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_run_keeps_the_state_before_the_last(make_module, make_data, make_trainer, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    make_trainer(5, callbacks=[LastCheckpoint(str(path), every_n_steps=2)]).fit(make_module(), make_data(5))
    assert read_checkpoint(path)["global_step"] == 5
    assert read_checkpoint(previous_of(path))["global_step"] == 4
