"""Checkpoints to resume from: atomic writes, a checksum verified before loading, the newest two kept."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import struct
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO

from glic_pyg.errors import TrainingError
from glic_pyg.files import atomic_write
from glic_pyg.training.manual_optimization import ManualOptimization

__all__ = [
    "KEYS",
    "CheckpointError",
    "WholeFileIO",
    "keep_previous",
    "previous_of",
    "read_checkpoint",
    "verify_checkpoint",
]


_MARK = b"glic-pyg sha256 "
_NOTE_LENGTH = len(_MARK) + hashlib.sha256().digest_size * 2
_CHUNK = 2**20
KEYS = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "global_step")
"""What every checkpoint of a training has."""
_OTHER = "is no checkpoint of glic train"


class CheckpointError(TrainingError):
    """A checkpoint could not be written or read; the message is one sentence for the user."""


class WholeFileIO(TorchCheckpointIO):
    """Writes checkpoints atomically, with a checksum, and loads verified files only.

    A process that is killed while it saves, a full disk or a power cut leave the previous file. Unlike
    Lightning's own IO, it streams to the file instead of making two copies in memory.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write the file.

        Raises:
            CheckpointError: the disk is full, or the folder cannot be written to.
        """
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as place, place.open("w+b") as file:
                torch.save(checkpoint, file)
                _seal(file)
        except (OSError, RuntimeError) as error:
            reason = error if isinstance(error, OSError) else error.__context__
            if not isinstance(reason, OSError):  # torch wraps a failed write in a RuntimeError
                raise
            before = "; the one of before is intact" if path.exists() else ""
            raise CheckpointError(f"{path} could not be written ({reason.strerror}){before}.") from error

    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> dict[str, Any]:
        """Read the file, after the whole of it has been verified.

        Raises:
            CheckpointError: it is damaged, or no checkpoint.
        """
        return read_checkpoint(Path(path))


def previous_of(path: Path) -> Path:
    """Where :func:`keep_previous` puts a checkpoint: ``last.ckpt`` becomes ``last-previous.ckpt``."""
    return path.with_name(f"{path.stem}-previous{path.suffix}")


def keep_previous(path: Path) -> None:
    """Give a checkpoint that is about to be replaced a second name; there is no moment without it."""
    if not path.is_file():
        return
    previous = previous_of(path)
    link = previous.with_name(previous.name + ".partial")
    link.unlink(missing_ok=True)
    try:
        os.link(path.resolve(), link)
        link.replace(previous)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):  # a file system without hard links
            path.replace(previous)
    finally:
        link.unlink(missing_ok=True)


def read_checkpoint(
    path: Path, keys: Sequence[str] = KEYS, *, mmap: bool = False, other: str = _OTHER
) -> dict[str, Any]:
    """Everything in a checkpoint of a training, on the CPU.

    Args:
        path: the file.
        keys: what has to be in it.
        mmap: leave tensors on the disk until they are looked at.
        other: what a file is that holds something else, in a sentence that begins with its name.

    Raises:
        CheckpointError: there is no such file, it is damaged, or it is something else.
    """
    verify_checkpoint(path, other)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # torch has many, and advises to turn its safety off
        raise CheckpointError(f"{path} {other}: {_kind(path)}.") from error
    if not isinstance(checkpoint, dict) or any(key not in checkpoint for key in keys):
        raise CheckpointError(
            f"{path} {other}: it has no state of a training; weights to begin a new run "
            "with go to start_from=..."
        )
    return checkpoint


def verify_checkpoint(path: Path, other: str = _OTHER) -> None:
    """Compare a checkpoint with the checksum it carries.

    Files that were written without one, by earlier versions or by others, are held against the checksums that
    the archive keeps of each tensor.

    Raises:
        CheckpointError: there is no such file, it is damaged, or it is no checkpoint.
    """
    if not path.is_file():
        raise CheckpointError(
            f"{path} is a folder; name the checkpoint in it."
            if path.is_dir()
            else f"Checkpoint {path} does not exist."
        )
    if _is_whole(path):
        return
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            raise CheckpointError(f"{path} {other}: {_kind(path)}.")
    previous = previous_of(path)
    rescue = f"; {previous}, which was saved before it, is whole" if _is_whole(previous) else ""
    raise CheckpointError(f"{path} is damaged: its bytes are not those that were written{rescue}.")


def _is_whole(path: Path) -> bool:
    """Whether the file is there and agrees with its checksum."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _NOTE_LENGTH))
        note = file.read()
        if note.startswith(_MARK):
            return _note(file, size - _NOTE_LENGTH) == note
    return _is_sound(path)


def _seal(file: IO[bytes]) -> None:
    """Append the SHA-256 of all that is in the file, as the comment that a zip archive may end with."""
    file.seek(-2, os.SEEK_END)  # the length of the comment is the archive's last field
    file.write(struct.pack("<H", _NOTE_LENGTH))
    note = _note(file, file.tell())
    file.seek(0, os.SEEK_END)
    file.write(note)


def _note(file: IO[bytes], size: int) -> bytes:
    """The comment that belongs to the first bytes of a file."""
    digest = hashlib.sha256()
    file.seek(0)
    for start in range(0, size, _CHUNK):
        digest.update(file.read(min(_CHUNK, size - start)))
    return _MARK + digest.hexdigest().encode()


def _is_sound(path: Path) -> bool:
    """Whether the file is a zip archive of which every member has its CRC-32, and which has no comment."""
    try:
        with zipfile.ZipFile(path) as archive:
            return not archive.comment and archive.testzip() is None
    except Exception:  # zipfile has many for archives that are broken
        return False


def _kind(path: Path) -> str:
    """What a file that is no checkpoint seems to be, in a few words."""
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        return "it is empty"
    if head.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS; fetch the file itself with git lfs pull"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "it is a web page"
    if head[8:9] == b"{":
        return "it is a safetensors file; weights to begin a new run with go to start_from=..."
    return "its contents are of another kind"


log = logging.getLogger(__name__)


class LastCheckpoint(Callback):
    """Keeps the newest good state of the run in one file, replaced as a whole, and the one before in another.

    Written every so many steps or minutes, at the end, and when the run is told to stop (SIGTERM) or
    breaks off between two steps. A run that breaks off inside a step leaves the file of before, since half
    a step is no state to resume from; so does one whose newest steps were not finite. If the disk is full
    training goes on, and the next save tries again; only at the end it is an error.

    Args:
        path: the file, e.g. ``runs/name/last.ckpt``.
        every_n_steps: steps between two saves.
        every_minutes: minutes between two saves.
    """

    def __init__(self, path: str, every_n_steps: int = 1000, every_minutes: float = 10.0) -> None:
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps must be at least 1, not {every_n_steps}.")
        self.path = Path(path)
        self.every_n_steps = every_n_steps
        self.every_minutes = every_minutes
        self._inside_step = False
        self._saved_at = time.monotonic()
        self._began_at = 0

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """From here on all checkpoints of the run are written as whole files."""
        trainer.strategy.checkpoint_io = WholeFileIO()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start counting the minutes."""
        self._saved_at = time.monotonic()
        self._began_at = trainer.global_step

    def on_train_batch_start(self, *args: Any) -> None:
        """Weights are about to change."""
        self._inside_step = True

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *args: Any
    ) -> None:
        """Save when it is time."""
        self._inside_step = False
        late = time.monotonic() - self._saved_at > 60 * self.every_minutes
        due = trainer.strategy.reduce_boolean_decision(late, all=False)
        if (due or trainer.global_step % self.every_n_steps == 0) and _is_good(pl_module):
            self._save_or_warn(trainer)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the finished run, unless it was finished before.

        Raises:
            CheckpointError: it cannot be written.
        """
        if _is_good(pl_module) and trainer.global_step > self._began_at:
            self._save(trainer)

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Save what there is, if it is whole."""
        if not self._inside_step and trainer.global_step > 0 and _is_good(pl_module):
            self._save_or_warn(trainer)

    def _save_or_warn(self, trainer: lightning.Trainer) -> None:
        try:
            self._save(trainer)
        except CheckpointError as error:
            log.error("%s Training goes on, and saving is tried again.", error)

    def _save(self, trainer: lightning.Trainer) -> None:
        self._saved_at = time.monotonic()
        if trainer.is_global_zero:
            keep_previous(self.path)
        trainer.save_checkpoint(self.path, weights_only=False)


def _is_good(module: lightning.LightningModule) -> bool:
    """Whether the newest step was finite: one that was skipped may be the fault of the weights."""
    return not (isinstance(module, ManualOptimization) and module.guard.skipped_in_a_row)
