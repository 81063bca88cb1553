"""Weights that anyone can make again: each tensor is drawn from the CRC-32 of a salt and its own name."""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch
from torch import Tensor, nn

from glic_pyg.models.released import released_name

_BOTTLENECK = "entropy_bottleneck."
_CENTRE_AND_SPREAD = {
    "weight": (1.0, 0.1),
    "bias": (0.0, 0.02),
    "logit_scale": (math.log(10), 0.1),
    "scaling_factors": (0.25, 0.05),
    "relative_position_table": (0.0, 0.5),
}
_AS_INITIALISED = ("beta", "gamma")


def weights_from_names(model: nn.Module, salt: str, kind: str = "glic") -> dict[str, Tensor]:
    """A released checkpoint's state dict, float32, filled by the rule of the reference numbers.

    Args:
        model: names the tensors and their shapes; gives initial values where the rule keeps them (GDN, and
            most of the EntropyBottleneck).
        salt: stored with the reference numbers.
        kind: how the checkpoint writes its names, ``"glic"`` or ``"mlicpp"``.
    """
    own = {released_name(name, kind): parameter.detach() for name, parameter in model.named_parameters()}
    return {name: _fill(name, initial, salt) for name, initial in own.items()}


def _fill(name: str, initial: Tensor, salt: str) -> Tensor:
    seed = zlib.crc32((salt + name).encode())
    noise = np.random.Generator(np.random.PCG64(seed)).standard_normal(tuple(initial.shape), dtype=np.float32)
    last = name.rsplit(".", 1)[-1]
    if _BOTTLENECK in name:
        biased = name.split(_BOTTLENECK)[1].startswith("biases.")
        return torch.from_numpy(np.float32(0.2) * noise) if biased else initial.clone()
    if last in _AS_INITIALISED:
        return initial.clone()
    if last == "weight" and noise.ndim > 1:
        return torch.from_numpy(noise / np.float32(math.sqrt(math.prod(noise.shape[1:]))))
    centre, spread = _CENTRE_AND_SPREAD[last]
    return torch.from_numpy(np.float32(centre) + np.float32(spread) * noise)
