"""Weights of any architecture as safetensors; how to build it and a card travel in the file's metadata."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from glic_pyg.files import atomic_write
from glic_pyg.models.base import Codec
from glic_pyg.models.building import build_for
from glic_pyg.models.registry import architecture, architecture_name
from glic_pyg.numerics import widened

__all__ = [
    "filled",
    "former_hash",
    "is_ours",
    "load_weights",
    "read_card",
    "round_weights",
    "save_weights",
    "weights_hash",
    "weights_of",
]

_SHIPPED = {
    # glic_s and glic_xs
    "f617e3f238b4a6a0bd0d5d64d011b7b4"
    "12282785c158106f6d3439908a9ec432": "692a4678572eb9e5363143fa59fcfb8ec81b4e82cc6a5539f7791672751d6040",
    "b17cb3ec96171792874b85bc6caa32b5"
    "3a82fdd9872bb3d021e62029734bd9ce": "54d718ecc8476066a7bf72348d1cb4ae985dda1ea66274e5abd14707e784e741",
}
"""Hashes of shipped weights that files know by a hash of the parameters alone: they keep that one."""


def save_weights(
    path: str | Path, model: Codec, card: dict[str, Any], dtype: torch.dtype = torch.float32
) -> None:
    """Write parameters to ``path``; a file already there is replaced only by a complete one.

    Args:
        path: a ``.safetensors`` file.
        model: what to save; the name of its class, its constructor arguments and a hash of all that are saved
            with it.
        card: how the weights came to be (data, steps, recipe, measured points), JSON-serialisable.
        dtype: of the stored tensors. Float16 halves the file; :func:`round_weights` comes first, so that the
            model that is read back is the one that was saved, with its hash.

    Raises:
        ValueError: the model is of no class that :func:`load_weights` could build again, or dtype does not
            hold its parameters exactly.
    """
    path = Path(path)
    tensors = weights_of(model)
    stored = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    inexact = [name for name, tensor in tensors.items() if not torch.equal(stored[name].to(tensor), tensor)]
    if inexact:
        raise ValueError(f"{inexact[0]} does not fit into {dtype}: use round_weights(model, {dtype}) first")
    metadata = {
        "name": architecture_name(model),
        "architecture": json.dumps(model.config),
        "hash": weights_hash(model),
        "card": json.dumps(card),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as place:
        place.write_bytes(save(stored, metadata))  # save_file tells a full disk by a type of its own


@torch.no_grad()
def round_weights(model: nn.Module, dtype: torch.dtype) -> None:
    """Round parameters to the nearest numbers of a smaller type; they stay float32.

    Raises:
        ValueError: a parameter is too large for the type.
    """
    for name, parameter in model.named_parameters():
        rounded = parameter.to(dtype).to(parameter)
        if not rounded.isfinite().all():
            raise ValueError(f"{name} holds a value that is too large for {dtype}")
        parameter.copy_(rounded)


def load_weights(path: str | Path) -> Codec:
    """The model of a file written by :func:`save_weights`, float32, in eval mode on the CPU.

    Files without the name of an architecture, as the first release wrote them, hold a GLIC.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a weights file of this project, does not fit its architecture, or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}: give the path of a .safetensors file")
    try:
        shapes, metadata = _head(path)
        name, config = metadata.get("name", "glic"), json.loads(metadata["architecture"])
        model = build_for(name, config, shapes)
        tensors = {name: widened(tensor) for name, tensor in load_file(path).items()}
    except Exception as error:
        reason = "it says nothing of its architecture" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} is not a weights file of this project: {reason}") from error
    try:
        _check_stated(metadata, _hash(name, model.config, tensors), _hash_of_tensors(tensors))
        return filled(model, tensors)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error


def filled(model: Codec, tensors: Mapping[str, Tensor]) -> Codec:
    """The same model with its parameters set to tensors of any floating-point type.

    Raises:
        ValueError: a tensor is missing, extra, of another shape, or holds something else than finite numbers;
            the message goes on from the name of the file.
    """
    parameters = dict(model.named_parameters())
    _check_shapes(parameters, tensors)
    with torch.no_grad():
        for name, parameter in parameters.items():
            given = tensors[name]
            if not given.is_floating_point():
                raise ValueError(f"holds no weights: {name} is of the type {given.dtype}, not of numbers")
            parameter.copy_(given)
            if not parameter.isfinite().all():
                raise ValueError(f"is damaged: {name} holds a value that is not finite")
    return model


def is_ours(path: Path) -> bool:
    """Whether a safetensors file says how to build its model, as :func:`save_weights` writes it.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return "architecture" in _head(path)[1]
    except Exception as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def read_card(path: str | Path) -> dict[str, Any]:
    """The card saved with a weights file; empty if there is none."""
    card: dict[str, Any] = json.loads(_head(Path(path))[1].get("card", "{}"))
    return card


def weights_hash(model: nn.Module) -> str:
    """SHA-256, as hexadecimal, over the architecture's name, its configuration and all parameters.

    Of the configuration it covers what differs from the defaults, so that an argument which is added later,
    with a default that changes nothing, leaves the hash as it is.
    """
    return _hash(_name_of(model), getattr(model, "config", {}), weights_of(model))


def former_hash(model: nn.Module) -> str | None:
    """The hash that older files may know these weights by: of the parameters alone.

    ``None`` for weights whose hash is that one still, and for others with the same parameters.
    """
    digest = _hash_of_tensors(weights_of(model))
    return None if digest in _SHIPPED.values() else digest


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """All parameters on the CPU; buffers are derived and not part of the weights."""
    return {name: p.detach().cpu().contiguous() for name, p in model.named_parameters()}


def _hash(name: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    stated = _beside_the_defaults(name, config)
    whole = json.dumps([name, stated, _hash_of_tensors(tensors)], sort_keys=True)
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return _SHIPPED.get(digest, digest)


def _hash_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, as hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _name_of(model: nn.Module) -> str:
    """The architecture's name; of another class, which weights files do not know, that of the class."""
    try:
        return architecture_name(model)
    except ValueError:
        return type(model).__name__


def _beside_the_defaults(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are not what the architecture's class takes anyway."""
    parameters: Mapping[str, inspect.Parameter] = {}
    with contextlib.suppress(ValueError):  # a class that files do not know
        parameters = inspect.signature(architecture(name)).parameters
    defaults = {key: _as_json(parameter.default) for key, parameter in parameters.items()}
    stated = {key: _as_json(value) for key, value in config.items()}
    return {key: value for key, value in stated.items() if key not in defaults or value != defaults[key]}


def _as_json(value: Any) -> Any:
    """A setting as JSON would give it back: no tuples."""
    if isinstance(value, Mapping):
        return {key: _as_json(inner) for key, inner in value.items()}
    return [_as_json(inner) for inner in value] if isinstance(value, list | tuple) else value


def _head(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Shapes of the tensors, and the metadata, without reading the tensors."""
    with safe_open(path, framework="pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        return shapes, file.metadata() or {}


def _check_stated(metadata: Mapping[str, str], present: str, of_tensors: str) -> None:
    """Compare with the hash in the file, or on the card of one that is older.

    Raises:
        ValueError: they differ.
    """
    stated, allowed = metadata.get("hash"), {present}
    if stated is None:
        stated, allowed = json.loads(metadata.get("card", "{}")).get("weights_hash"), {present, of_tensors}
    if stated is not None and stated not in allowed:
        raise ValueError(
            f"is damaged: its weights have the hash {present[:16]}, and {str(stated)[:16]} is written in it; "
            "copy or download it again"
        )


def _check_shapes(parameters: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    missing = [name for name in parameters if name not in tensors]
    extra = [name for name in tensors if name not in parameters]
    reshaped = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(parameter.shape)}"
        for name, parameter in parameters.items()
        if name in tensors and tensors[name].shape != parameter.shape
    ]
    problems = [
        f"{len(names)} {what}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
        for what, names in (("missing", missing), ("extra", extra), ("of another shape", reshaped))
        if names
    ]
    if problems:
        raise ValueError(f"does not fit its architecture; tensors {'; '.join(problems)}")
