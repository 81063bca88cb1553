"""Atomic checkpoint writes: a crash or a full disk while saving keeps the previous file."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from glic_pyg.files import atomic_write
from glic_pyg.training.errors import TrainingError


class CheckpointError(TrainingError):
    """A checkpoint could not be written; the message is one sentence for the user."""


class WholeFileIO(TorchCheckpointIO):
    """Checkpoint IO that writes with :func:`~glic_pyg.files.atomic_write`.

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
            with atomic_write(path) as place, place.open("wb") as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:
            reason = error if isinstance(error, OSError) else error.__context__
            if not isinstance(reason, OSError):  # torch wraps a failed write in a RuntimeError
                raise
            before = "; the one of before is intact" if path.exists() else ""
            raise CheckpointError(f"{path} could not be written ({reason.strerror}){before}.") from error
