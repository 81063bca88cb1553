"""Weights of any architecture as safetensors; how to build it and a card travel in the file's metadata."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from glic_pyg.files import atomic_write
from glic_pyg.models.base import Codec
from glic_pyg.models.registry import architecture_name, build


def save_weights(path: str | Path, model: Codec, card: dict[str, Any]) -> None:
    """Write parameters to ``path``; a file already there is replaced only by a complete one.

    Args:
        path: a ``.safetensors`` file.
        model: what to save; the name of its class and its constructor arguments are saved with it.
        card: how the weights came to be (data, steps, recipe, measured points), JSON-serialisable.

    Raises:
        ValueError: the model is of no class that :func:`load_weights` could build again.
    """
    path = Path(path)
    metadata = {
        "name": architecture_name(model),
        "architecture": json.dumps(model.config),
        "card": json.dumps(card),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as place:
        place.write_bytes(
            save(weights_of(model), metadata)
        )  # save_file tells a full disk by a type of its own


def load_weights(path: str | Path) -> Codec:
    """The model of a file written by :func:`save_weights`, in eval mode on the CPU.

    Files without the name of an architecture, as the first release wrote them, hold a GLIC.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a weights file of this project, or does not fit its architecture.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}: give the path of a .safetensors file")
    try:
        metadata = _metadata(path)
        model = build(metadata.get("name", "glic"), json.loads(metadata["architecture"]))
        tensors = load_file(path)
    except Exception as error:
        raise ValueError(f"{path} is not a weights file of this project: {error}") from error
    try:
        problems = model.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} does not fit its architecture: {reason}") from error
    absent = [name for name, _ in model.named_parameters() if name in problems.missing_keys]
    if absent or problems.unexpected_keys:
        raise ValueError(
            f"{path} does not fit its architecture: {len(absent)} missing, {problems.unexpected_keys} extra"
        )
    return model.eval()


def read_card(path: str | Path) -> dict[str, Any]:
    """The card saved with a weights file."""
    return json.loads(_metadata(Path(path))["card"])


def weights_hash(model: nn.Module) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of all parameters, as hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights_of(model).items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """All parameters on the CPU; buffers are derived and not part of the weights."""
    return {name: p.detach().cpu().contiguous() for name, p in model.named_parameters()}


def _metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}
