"""Load the authors' released checkpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from glic_pyg.models.glic import GLIC

# How our names are spelled in a released checkpoint, outside in. Applied in order, each to the
# result of the one before.
_RELEASED_SPELLING: tuple[tuple[str, str], ...] = (
    (r"^g_a\.down\.(\d)", r"g_a.down\1"),
    (r"^g_s\.up\.(\d)", r"g_s.up\1"),
    (r"^g_a\.side", "g_a.AuxT_enc"),
    (r"^g_s\.side", "g_s.AuxT_dec"),
    (r"(AuxT_...\.\d)\.scaling$", r"\1.scaling_factors"),
    (r"(AuxT_...\.\d)\.linear", r"\1.OLP.linear"),
    (r"^g_a\.blocks\.0", "g_a.g1"),
    (r"^g_a\.blocks\.1", "g_a.g2"),
    (r"^g_a\.blocks\.2", "g_a.g3"),
    (r"^g_s\.blocks\.0", "g_s.g1"),
    (r"^g_s\.blocks\.1", "g_s.g2"),
    (r"^g_s\.blocks\.2", "g_s.g3"),
    (r"\.layers\.(\d)\.conv\.", r".layers.\1.grapher."),
    (r"\.layers\.(\d)\.(project_in|project_out)", r".layers.\1.mlp.\2"),
    (r"\.layers\.(\d)\.depthwise", r".layers.\1.mlp.conv"),
    (r"\.layers\.(\d)\.norm_conv", r".layers.\1.norm1"),
    (r"\.layers\.(\d)\.norm_ffn", r".layers.\1.norm2"),
    (r"\.layers\.(\d)", r".residual_group.blocks.\1"),
    (r"grapher\.to_q", "grapher.proj_group"),
    (r"grapher\.to_kv", "grapher.proj_sample"),
    (r"grapher\.out", "grapher.proj"),
    (r"grapher\.log_scale", "grapher.logit_scale"),
    (r"grapher\.position_bias\.mlp", "grapher.cpb_mlp"),
    (r"\.mix_in\.", ".mixer.conv1.0."),
    (r"\.depthwise\.", ".mixer.depth_conv."),
    (r"\.mix_out\.", ".mixer.conv2."),
    (r"\.skip\.", ".mixer.adaptor."),
    (r"\.mix\.", ".mixer."),
    (r"\.ffn\.", ".mlp."),
    (r"\.norm\.", ".norm2."),
    # CompressAI's ramp interleaves activations, here none: its layers stand at 0, 2, 4.
    (r"((?:channel_context\.y\d|entropy_parameters))\.2\.", r"\1.4."),
    (r"((?:channel_context\.y\d|entropy_parameters))\.1\.", r"\1.2."),
)

# Tensors of a checkpoint that the model computes itself: fixed tables, and coding tables that are
# rebuilt from the weights.
_DERIVED = re.compile(
    r"(\.dwt\.w_..|\.idwt\.filters|\.relative_coords_table|\.relative_position_index|\.context_prediction\.mask"
    r"|\._offset|\._quantized_cdf|\._cdf_length|\.scale_table|\.scale_bound|\.bound|\.target)$"
)


def load_released(checkpoint: str | Path | Mapping[str, Tensor], model: str = "glic") -> GLIC:
    """A released checkpoint as a module in eval mode.

    Files are read with ``weights_only=True``: nothing in them is executed.

    Args:
        checkpoint: path of a ``.pth.tar`` (a dict with ``state_dict``, or a bare state dict), or the
            state dict itself; names may start with ``module.``.
        model: which architecture; ``"glic"``.

    Returns:
        :class:`~glic_pyg.models.glic.GLIC` with the checkpoint's weights.

    Raises:
        ValueError: naming the tensors that are missing, extra or of another shape, or the model
            that is not known.
        FileNotFoundError: if the path does not exist.
    """
    if model != "glic":
        raise ValueError(f"no released checkpoints are known for model {model!r}: use 'glic'")
    given = _state_dict(checkpoint)
    net = GLIC()
    own = {name: released_name(name) for name, _ in net.named_parameters()}
    _check(given, {released: net.get_parameter(name).shape for name, released in own.items()})
    with torch.no_grad():
        for name, released in own.items():
            parameter = net.get_parameter(name)
            parameter.copy_(given[released].reshape(parameter.shape))
    return net.eval()


def released_name(name: str) -> str:
    """The name of one of our parameters in a released checkpoint."""
    for pattern, spelling in _RELEASED_SPELLING:
        name = re.sub(pattern, spelling, name)
    return name


def _state_dict(checkpoint: str | Path | Mapping[str, Tensor]) -> dict[str, Tensor]:
    if isinstance(checkpoint, str | Path):
        checkpoint = _read(Path(checkpoint))
    inner = checkpoint.get("state_dict", checkpoint)
    if not isinstance(inner, Mapping) or not all(isinstance(v, Tensor) for v in inner.values()):
        raise ValueError("this checkpoint holds no state_dict of tensors: give the authors' .pth.tar file")
    return {name.removeprefix("module."): tensor for name, tensor in inner.items()}


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


def _check(given: Mapping[str, Tensor], wanted: Mapping[str, torch.Size]) -> None:
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
        raise ValueError("this is not a whole GLIC checkpoint; tensors " + "; ".join(problems))


def _squeezed(shape: torch.Size) -> list[int]:
    return [side for side in shape if side != 1]
