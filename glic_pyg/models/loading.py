"""Load a model from any file with weights: ours, a checkpoint of a run, or one that others released."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from glic_pyg.models.base import Codec
from glic_pyg.models.building import build_for
from glic_pyg.models.checkpoint import checkpoint_kind, codec_tensors, read_checkpoint
from glic_pyg.models.registry import name_of_target
from glic_pyg.models.released import load_released
from glic_pyg.models.weights import filled, is_ours, load_weights

__all__ = ["load_model"]

_OF_LIGHTNING = "pytorch-lightning_version"
_SETTINGS = "hyper_parameters"


def load_model(path: Path) -> Codec:
    """The model in a file, told by its content, in eval mode on the CPU; nothing in the file is executed.

    Args:
        path: a weights file, a checkpoint of a run of ``glic train`` (its averaged weights, where it keeps
            an average), or a checkpoint for :func:`~glic_pyg.models.released.load_released`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no such model; the message says what it is instead, or what is wrong.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}: give a weights file, a checkpoint or a run's folder")
    if checkpoint_kind(path) == "torch":
        checkpoint = read_checkpoint(path)
        ours = _OF_LIGHTNING in checkpoint
        try:
            return _of_run(checkpoint) if ours else load_released(checkpoint)
        except ValueError as error:
            raise ValueError(f"{path}{'' if ours else ':'} {error}") from error
    if is_ours(path):
        return load_weights(path)
    try:
        return load_released(load_file(path))
    except ValueError as error:
        raise ValueError(f"{path} is not a weights file of this project: {error}") from error


def _of_run(checkpoint: Mapping[str, Any]) -> Codec:
    """The model of a run's checkpoint, which says how it was configured."""
    settings = checkpoint.get(_SETTINGS, {}).get("model")
    if not isinstance(settings, Mapping):
        raise ValueError(
            "does not say which model it is of: give the weights that the run exported beside it"
        )
    name = name_of_target(str(settings.get("_target_")))
    tensors = codec_tensors(checkpoint["state_dict"])
    config = {key: value for key, value in settings.items() if not key.startswith("_")}
    model = build_for(name, config, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    buffers = {name for name, _ in model.named_buffers()}
    return filled(model, {name: tensor for name, tensor in tensors.items() if name not in buffers})
