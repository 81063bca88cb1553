"""Load checkpoints as others released them: the authors' of GLIC and MLIC++, and CompressAI's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glic_pyg.models.base import Codec
from glic_pyg.models.building import build_for
from glic_pyg.models.checkpoint import read_checkpoint
from glic_pyg.models.foreign import looks_like
from glic_pyg.models.key_mapping import current_name, released_name
from glic_pyg.models.weights import filled

__all__ = ["RELEASES", "Release", "load_released", "released_name"]

Tensors = Mapping[str, Tensor]

# Tensors of a checkpoint that the model computes itself: fixed tables, and coding tables that are
# rebuilt from the weights.
_DERIVED = re.compile(
    r"(\.dwt\.w_..|\.idwt\.filters|\.relative_coords_table|\.relative_position_index|context_prediction\.mask"
    r"|\._offset|\._quantized_cdf|\._cdf_length|\.scale_table|\.scale_bound|\.bound|\.pedestal|\.target)$"
)
_STATE_DICTS = ("state_dict", "model_state_dict", "model", "net", "params")


@dataclass(frozen=True)
class Release:
    """A published family of checkpoints.

    Attributes:
        title: its name in messages.
        architecture: the name of the architecture here.
        config: the arguments of its class for the tensors of a checkpoint, by their released names; ``None``
            if they are of something else.
    """

    title: str
    architecture: str
    config: Callable[[Tensors], dict[str, Any] | None]


def _glic(given: Tensors) -> dict[str, Any] | None:
    return {} if any(name.startswith("g_a.AuxT_enc.") for name in given) else None


def _mlicpp(given: Tensors) -> dict[str, Any] | None:
    """Weights of September 2023 start g_s with N channels, those of April 2024 (and all others) with M."""
    if not any(name.startswith("g_a.analysis_transform.") for name in given):
        return None
    first = given.get("g_s.synthesis_transform.0.conv1.weight")
    early = first is not None and first.shape[:1] == (192,)
    return {"synthesis_width": 192, "residual_widths": None} if early else {}


def _hyperprior(given: Tensors, *, mean_scale: bool) -> dict[str, Any] | None:
    sizes = _sizes(given)
    if sizes is None or "context_prediction.weight" in given:
        return None
    last = given.get("h_s.4.weight")  # predicts scales, and means after them
    means = last is not None and last.shape[:1] == (2 * sizes["latent_channels"],)
    return {**sizes, "mean_scale": mean_scale} if means == mean_scale else None


def _autoregressive(given: Tensors) -> dict[str, Any] | None:
    return _sizes(given) if "context_prediction.weight" in given else None


def _cheng2020(given: Tensors, *, attention: bool) -> dict[str, Any] | None:
    first = given.get("g_a.0.conv1.weight")
    attends = any(name.startswith("g_a.") and ".conv_b." in name for name in given)
    if first is None or "context_prediction.weight" not in given or attends != attention:
        return None
    return {"channels": first.shape[0], "attention": attention}


def _elic(given: Tensors) -> dict[str, Any] | None:
    first = given.get("g_a.0.weight")
    groups: list[int] = []
    while (name := f"latent_codec.y.latent_codec.y{len(groups)}.context_prediction.weight") in given:
        groups.append(given[name].shape[1])
    return {"channels": first.shape[0], "groups": groups} if first is not None and groups else None


def _sizes(given: Tensors) -> dict[str, Any] | None:
    """N and M of CompressAI's models with four convolutions in g_a and a hyperprior."""
    first, last = given.get("g_a.0.weight"), given.get("g_a.6.weight")
    if first is None or last is None or "h_a.0.weight" not in given or first.ndim != 4 or last.ndim != 4:
        return None
    return {"channels": first.shape[0], "latent_channels": last.shape[0]}


RELEASES = {
    "glic": Release("GLIC", "glic", _glic),
    "mlicpp": Release("MLIC++", "mlicpp", _mlicpp),
    "bmshj2018-hyperprior": Release(
        "CompressAI bmshj2018-hyperprior", "hyperprior", lambda given: _hyperprior(given, mean_scale=False)
    ),
    "mbt2018-mean": Release(
        "CompressAI mbt2018-mean", "hyperprior", lambda given: _hyperprior(given, mean_scale=True)
    ),
    "mbt2018": Release("CompressAI mbt2018", "autoregressive", _autoregressive),
    "cheng2020-anchor": Release(
        "CompressAI cheng2020-anchor", "attention", lambda given: _cheng2020(given, attention=False)
    ),
    "cheng2020-attn": Release(
        "CompressAI cheng2020-attn", "attention", lambda given: _cheng2020(given, attention=True)
    ),
    "elic2022-official": Release("CompressAI elic2022-official", "elic", _elic),
}
"""By the name that :func:`load_released` and :mod:`~glic_pyg.models.key_mapping` know them by."""


def load_released(checkpoint: str | Path | Mapping[str, Any], model: str | None = None) -> Codec:
    """A released checkpoint as a module in eval mode: of GLIC, MLIC++, or one of CompressAI's codecs.

    Files are read with ``weights_only=True``: nothing in them is executed.

    Args:
        checkpoint: path of a ``.pth.tar`` (a dict with ``state_dict``, or a bare state dict), or the
            state dict itself; names may start with ``module.``, and those of CompressAI's modules may be
            its old ones.
        model: which release, a key of :data:`RELEASES`; ``None`` to tell from the names. Sizes, and the two
            generations of MLIC++ weights, are told by the shapes.

    Returns:
        A model of :mod:`~glic_pyg.models.registry` with the checkpoint's weights.

    Raises:
        ValueError: naming the tensors that are missing, extra or of another shape, or what the checkpoint
            seems to be of, or the release that is not known.
        FileNotFoundError: if the path does not exist.
    """
    if model is not None and model not in RELEASES:
        known = ", ".join(map(repr, RELEASES))
        raise ValueError(f"no released checkpoints are known for model {model!r}: use {known}")
    if isinstance(checkpoint, str | Path):
        path = Path(checkpoint)
        try:
            return _load(_state_dict(read_checkpoint(path)), model)
        except ValueError as error:
            raise error if str(path) in str(error) else ValueError(f"{path}: {error}") from error
    return _load(_state_dict(checkpoint), model)


def _load(given: Tensors, model: str | None) -> Codec:
    name, config = (model, RELEASES[model].config(given) or {}) if model else _recognised(given)
    net = build_for(RELEASES[name].architecture, config)
    parameters = dict(net.named_parameters())
    own = {ours: released_name(ours, name) for ours in parameters}
    problems = _differences(given, {theirs: parameters[ours] for ours, theirs in own.items()})
    if problems:
        if not model:
            _refuse_foreign(given, name)
        raise ValueError(f"this is not a whole {RELEASES[name].title} checkpoint; tensors {problems}")
    try:
        return filled(net, {ours: given[own[ours]].reshape(p.shape) for ours, p in parameters.items()})
    except ValueError as error:
        raise ValueError(f"this checkpoint {error}") from error


def _recognised(given: Tensors) -> tuple[str, dict[str, Any]]:
    """The release that a checkpoint is of, and its configuration.

    Raises:
        ValueError: it is of none; the message says of what instead, if that is known.
    """
    for name, release in RELEASES.items():
        config = release.config(given)
        if config is not None:
            return name, config
    _refuse_foreign(given)
    if not given or _names_of_glic() & set(given):
        return "glic", {}
    raise ValueError(f"this is of no model that can be used here (tensors: {_some(list(given))}): {_known()}")


def _refuse_foreign(given: Tensors, taken_for: str = "") -> None:
    """Raise a ValueError if these are the tensors of another model of CompressAI than it was taken for."""
    found = looks_like({name for name in given if not _DERIVED.search(name)})
    if found and taken_for not in found:
        names = " or ".join(found)
        raise ValueError(f"this looks like CompressAI's {names}, which is no codec of ours: {_known()}")


def _names_of_glic() -> set[str]:
    return {released_name(name) for name, _ in build_for("glic", {}).named_parameters()}


def _known() -> str:
    """What can be loaded, as the end of a sentence."""
    return "give weights of " + ", ".join(release.title for release in RELEASES.values())


def _state_dict(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    inner = next(
        (checkpoint[key] for key in _STATE_DICTS if isinstance(checkpoint.get(key), Mapping)), checkpoint
    )
    if not all(isinstance(value, Tensor) for value in inner.values()):
        raise ValueError("this checkpoint holds no state_dict of tensors: give the authors' .pth.tar file")
    if any(value.layout != torch.strided or value.is_quantized for value in inner.values()):
        raise ValueError("this checkpoint holds sparse or quantized tensors: give one of plain tensors")
    stored = {
        value.untyped_storage().data_ptr(): value.untyped_storage().nbytes() for value in inner.values()
    }
    if sum(value.nbytes for value in inner.values()) > 2 * sum(stored.values()):
        raise ValueError("this checkpoint holds fewer values than its tensors claim: it is damaged")
    return {current_name(str(name)): tensor for name, tensor in inner.items()}


def _differences(given: Tensors, wanted: Tensors) -> str:
    """Compare names and shapes; shapes may differ in sides of length 1 (the released layout)."""
    missing = [name for name in wanted if name not in given]
    extra = [name for name in given if name not in wanted and not _DERIVED.search(name)]
    reshaped = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and _squeezed(given[name]) != _squeezed(tensor)
    ]
    kinds = (("missing", missing), ("extra", extra), ("of another shape", reshaped))
    return "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in kinds if names)


def _some(names: list[str]) -> str:
    return f"{', '.join(name[:100] for name in names[:5])}{' ...' if len(names) > 5 else ''}"


def _squeezed(tensor: Tensor) -> list[int]:
    return [side for side in tensor.shape if side != 1]
