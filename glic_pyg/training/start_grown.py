"""A new run that begins as a smaller trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning

from glic_pyg.errors import TrainingError
from glic_pyg.models.init import grow
from glic_pyg.models.weights import load_weights
from glic_pyg.training.first_crops import first_crops, refuse_several_processes
from glic_pyg.training.start import Start


class StartGrown(Start):
    """Grow the model out of the weights of one with fewer GFA layers or latent channels, see :func:`grow`.

    Args:
        path: a ``.safetensors`` file; None does nothing.
        batches: from how many batches of training crops added channels, if any, get their axes.
    """

    def __init__(self, path: str | None = None, batches: int = 32) -> None:
        self.path = None if path is None else Path(path)
        self.batches = batches

    def set_up(self, trainer: lightning.Trainer, module: Any) -> bool:
        """Load the smaller model and grow.

        Raises:
            TrainingError: there is no such file, the model does not grow out of it, or there are several
                processes.
        """
        if self.path is None:
            return False
        refuse_several_processes(trainer)
        try:
            small = load_weights(self.path).to(module.device)
            grow(module.model, small, lambda: first_crops(trainer, module, self.batches))
        except (FileNotFoundError, ValueError) as error:
            raise TrainingError(f"The run cannot begin as {self.path}: {error}") from error
        return True
