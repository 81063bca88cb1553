"""Warm starts: a run begins from training images, from weights of another run, or from a smaller model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from glic_pyg.codec.weights_store import weights_of_name
from glic_pyg.errors import TrainingError
from glic_pyg.models.checkpoint import codec_tensors, tensors_below
from glic_pyg.models.init import grow
from glic_pyg.models.weights import load_weights
from glic_pyg.training.callbacks.checkpoint import read_checkpoint

__all__ = ["WarmStart", "WarmStartFromFile", "WarmStartFromImages", "WarmStartFromSmaller"]


def first_crops(trainer: lightning.Trainer, module: Any, batches: int) -> Tensor:
    """Crops of the first batches of a run, (N, 3, H, W) in [0, 1]; each of several processes has its own."""
    loader: Any = trainer.train_dataloader
    return torch.cat([loader.dataset[step].x for step in range(batches)]).to(module.device) / 255


def refuse_several_processes(trainer: lightning.Trainer) -> None:
    """For starts that change whole weights, from what one process sees.

    Raises:
        TrainingError: there are several processes.
    """
    if trainer.world_size > 1:
        raise TrainingError(
            "A start from images or from a smaller model is made by one process: take trainer.devices=1 "
            "for the first steps, and go on with more processes and ckpt_path=last."
        )


MODEL, THETA = "model.", "regularizer.model."


class WarmStart(lightning.Callback):
    """Sets the model up before the first step of a new run; a resumed run is left alone.

    Of several such callbacks the first that does something is the only one.
    """

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Set up, and let the average begin there."""
        if trainer.global_step == 0 and not pl_module.is_initialized and self.set_up(trainer, pl_module):
            pl_module.is_initialized = True
            pl_module.restart_average()

    def set_up(self, trainer: lightning.Trainer, module: Any) -> bool:
        """Change the weights of ``module.model``; whether anything was done."""
        raise NotImplementedError


class WarmStartFromImages(WarmStart):
    """Set the model up from some of its training crops.

    Args:
        start: (model, x) with x (B, 3, H, W) in [0, 1]; changes the model's weights.
        batches: how many batches of crops to give it.
    """

    def __init__(self, start: Callable[[Any, Tensor], None], batches: int = 32) -> None:
        self.start = start
        self.batches = batches

    def set_up(self, trainer: lightning.Trainer, module: Any) -> bool:
        """Give the crops to ``start``; see :func:`refuse_several_processes` for errors."""
        refuse_several_processes(trainer)
        self.start(module.model, first_crops(trainer, module, self.batches))
        return True


class WarmStartFromFile(WarmStart):
    """Take over weights, e.g. those of the neighbouring λ, and train them further.

    From a weights file or from a checkpoint of a run, whose averaged weights are preferred. Optimizers,
    schedules and steps start anew. If the checkpoint has a source model of the same shape as the run's,
    theta is taken over too.

    Args:
        path: a ``.safetensors`` or ``.ckpt`` file, or the name of shipped weights; None does nothing.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = None if path is None else weights_of_name(path)

    def set_up(self, trainer: lightning.Trainer, module: Any) -> bool:
        """Load the file.

        Raises:
            TrainingError: there is no such file, or its weights do not fit the model.
        """
        if self.path is None:
            return False
        found = _read(self.path)
        problem = _difference(found[MODEL], module.model)
        if problem:
            raise TrainingError(f"The weights of {self.path} do not fit the model: {problem}.")
        _copy(found[MODEL], module.model)
        if module.regularizer is not None and not _difference(found[THETA], module.regularizer.model):
            _copy(found[THETA], module.regularizer.model)
        return True


def _read(path: Path) -> dict[str, dict[str, Tensor]]:
    """Tensors of the codec and of theta, which may be empty, each by name."""
    if not path.is_file():
        raise TrainingError(f"There are no weights to start from at {path}.")
    if path.suffix == ".safetensors":
        try:
            return {MODEL: load_file(path), THETA: {}}
        except Exception as error:  # safetensors exports no type of its own for all of them
            raise TrainingError(f"{path} is damaged, or no weights file: {error}.") from error
    other = "is neither a weights file nor a checkpoint"
    state = read_checkpoint(path, ["state_dict"], other=other)["state_dict"]
    return {MODEL: codec_tensors(state), THETA: tensors_below(state, THETA)}


def _difference(found: Mapping[str, Tensor], module: nn.Module) -> str:
    """The first parameter that is missing or of another shape, in words; empty if all is well."""
    for name, parameter in module.named_parameters():
        if name not in found:
            return f"{name} is missing"
        if found[name].shape != parameter.shape:
            return f"{name} has the shape {tuple(found[name].shape)}, not {tuple(parameter.shape)}"
    return ""


@torch.no_grad()
def _copy(found: Mapping[str, Tensor], module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        parameter.copy_(found[name])


class WarmStartFromSmaller(WarmStart):
    """Grow the model out of the weights of a smaller one, or of one with other graphs, see :func:`grow`.

    Args:
        path: a ``.safetensors`` file, or the name of shipped weights; None does nothing.
        batches: from how many batches of training crops added channels, if any, get their axes.
    """

    def __init__(self, path: str | None = None, batches: int = 32) -> None:
        self.path = None if path is None else weights_of_name(path)
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
