"""Checkpoints as files that are whole or not there."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from glic_pyg.training.errors import TrainingError


class CheckpointError(TrainingError):
    """A checkpoint could not be written; the message is one sentence for the user."""


class WholeFileIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place, and moves it there once it is on the disk.

    A process that is killed while it saves, a full disk or a power cut leave the file of before. Unlike
    Lightning's own, it writes straight to the file, and not by way of two copies in memory.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write the file.

        Raises:
            CheckpointError: the disk is full, or the folder cannot be written to.
        """
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except (OSError, RuntimeError) as error:
            reason = error if isinstance(error, OSError) else error.__context__
            if not isinstance(reason, OSError):  # torch wraps a failed write in a RuntimeError
                raise
            before = "; the one of before is intact" if path.exists() else ""
            raise CheckpointError(f"{path} could not be written ({reason.strerror}){before}.") from error
        finally:
            partial.unlink(missing_ok=True)
