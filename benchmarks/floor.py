"""The floor: how fast this machine multiplies plain matrices, here and now."""

from __future__ import annotations

import time

import torch

__all__ = ["float32_rate"]

_SIDE = 2048
_SECONDS = 1.0
_LEAST_REPEATS = 3


def float32_rate() -> float:
    """Floating-point operations a second of the fastest of some 2048 x 2048 float32 matrix products."""
    left, right, out = (torch.rand(_SIDE, _SIDE) for _ in range(3))
    torch.mm(left, right, out=out)
    times: list[float] = []
    while len(times) < _LEAST_REPEATS or sum(times) < _SECONDS:
        start = time.perf_counter()
        torch.mm(left, right, out=out)
        times.append(time.perf_counter() - start)
    return float(2 * _SIDE**3 / min(times))
