"""The arithmetic a file is coded in, whatever the surrounding program has switched on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["plain_arithmetic"]


@contextmanager
def plain_arithmetic(device: torch.device) -> Iterator[None]:
    """Full float32, no autocast, no autograd; the settings found are put back afterwards.

    The latents agree without this, being computed in float64; it keeps the pixels close from machine to
    machine.
    """
    switches = [*_precision_switches(), (torch.backends.cudnn, "benchmark", False)]
    before = [getattr(owner, name) for owner, name, _ in switches]
    for owner, name, plain in switches:
        setattr(owner, name, plain)
    try:
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        for (owner, name, _), value in zip(switches, before, strict=True):
            setattr(owner, name, value)


def _precision_switches() -> list[tuple[Any, str, Any]]:
    """Where torch keeps what float32 may be rounded to: owner, attribute, the value for full float32."""
    backends: Any = torch.backends
    if not hasattr(backends.mkldnn, "matmul"):  # torch before 2.9
        return [(backends.cuda.matmul, "allow_tf32", False), (backends.cudnn, "allow_tf32", False)]
    owners = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
    return [(owner, "fp32_precision", "ieee") for owner in owners]
