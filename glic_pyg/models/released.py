"""Load the authors' released checkpoints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from glic_pyg.models.glic import GLIC
from glic_pyg.models.mlicpp import MLICpp
from glic_pyg.models.spelling import current_name, released_name

__all__ = ["load_released", "released_name"]

# Tensors of a checkpoint that the model computes itself: fixed tables, and coding tables that are
# rebuilt from the weights.
_DERIVED = re.compile(
    r"(\.dwt\.w_..|\.idwt\.filters|\.relative_coords_table|\.relative_position_index|\.context_prediction\.mask"
    r"|\._offset|\._quantized_cdf|\._cdf_length|\.scale_table|\.scale_bound|\.bound|\.pedestal|\.target)$"
)


@dataclass(frozen=True)
class _Release:
    """A published architecture.

    Attributes:
        title: its name in messages.
        landmark: what one of its tensors, and none of another architecture, starts with.
        build: a model for the tensors of a checkpoint, by their released names.
    """

    title: str
    landmark: str
    build: Callable[[Mapping[str, Tensor]], GLIC | MLICpp]


def _glic(given: Mapping[str, Tensor]) -> GLIC:
    return GLIC()


def _mlicpp(given: Mapping[str, Tensor]) -> MLICpp:
    """Weights of September 2023 start g_s with N channels, those of April 2024 (and all others) with M."""
    first = given.get("g_s.synthesis_transform.0.conv1.weight")
    if first is not None and first.shape[0] == 192:
        return MLICpp(synthesis_width=192, residual_widths=None)
    return MLICpp()


_RELEASES = {
    "glic": _Release("GLIC", "g_a.AuxT_enc.", _glic),
    "mlicpp": _Release("MLIC++", "g_a.analysis_transform.", _mlicpp),
}


def load_released(checkpoint: str | Path | Mapping[str, Tensor], model: str | None = None) -> GLIC | MLICpp:
    """A released checkpoint as a module in eval mode.

    Files are read with ``weights_only=True``: nothing in them is executed.

    Args:
        checkpoint: path of a ``.pth.tar`` (a dict with ``state_dict``, or a bare state dict), or the
            state dict itself; names may start with ``module.``, and those of the entropy bottleneck may be
            CompressAI's old ones.
        model: which architecture, ``"glic"`` or ``"mlicpp"``; ``None`` to tell from the names. Both
            generations of MLIC++ weights are known; their shapes tell which.

    Returns:
        :class:`~glic_pyg.models.glic.GLIC` or :class:`~glic_pyg.models.mlicpp.MLICpp` with the
        checkpoint's weights.

    Raises:
        ValueError: naming the tensors that are missing, extra or of another shape, or the model
            that is not known.
        FileNotFoundError: if the path does not exist.
    """
    if model is not None and model not in _RELEASES:
        raise ValueError(f"no released checkpoints are known for model {model!r}: use 'glic' or 'mlicpp'")
    given = _state_dict(checkpoint)
    model = model or _recognised(given)
    net = _RELEASES[model].build(given)
    own = {name: released_name(name, model) for name, _ in net.named_parameters()}
    shapes = {released: net.get_parameter(name).shape for name, released in own.items()}
    _check(_RELEASES[model].title, given, shapes)
    with torch.no_grad():
        for name, released in own.items():
            parameter = net.get_parameter(name)
            parameter.copy_(given[released].reshape(parameter.shape))
    return net.eval()


def _recognised(given: Mapping[str, Tensor]) -> str:
    """The model that a landmark stands for; GLIC if there is none."""
    for model, release in _RELEASES.items():
        if any(name.startswith(release.landmark) for name in given):
            return model
    return "glic"


def _state_dict(checkpoint: str | Path | Mapping[str, Tensor]) -> dict[str, Tensor]:
    if isinstance(checkpoint, str | Path):
        checkpoint = _read(Path(checkpoint))
    inner = checkpoint.get("state_dict", checkpoint)
    if not isinstance(inner, Mapping) or not all(isinstance(v, Tensor) for v in inner.values()):
        raise ValueError("this checkpoint holds no state_dict of tensors: give the authors' .pth.tar file")
    return {current_name(name): tensor for name, tensor in inner.items()}


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: give the path of a released .pth.tar file")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path} is not a checkpoint that can be read safely ({_first_line(error)})"
        ) from error
    if not isinstance(checkpoint, Mapping):
        raise ValueError(f"{path} holds a {type(checkpoint).__name__}, not a dict with a state_dict")
    return checkpoint


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _check(title: str, given: Mapping[str, Tensor], wanted: Mapping[str, torch.Size]) -> None:
    """Compare names and shapes; shapes may differ in sides of length 1 (the released layout)."""
    missing = [name for name in wanted if name not in given]
    extra = [name for name in given if name not in wanted and not _DERIVED.search(name)]
    reshaped = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(shape)}"
        for name, shape in wanted.items()
        if name in given and _squeezed(given[name].shape) != _squeezed(shape)
    ]
    problems = [
        f"{len(names)} {what}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
        for what, names in (("missing", missing), ("extra", extra), ("of another shape", reshaped))
        if names
    ]
    if problems:
        raise ValueError(f"this is not a whole {title} checkpoint; tensors " + "; ".join(problems))


def _squeezed(shape: torch.Size) -> list[int]:
    return [side for side in shape if side != 1]
