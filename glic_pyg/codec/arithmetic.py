"""The arithmetic a file is coded in, whatever the surrounding program has switched on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["plain_arithmetic"]


@contextmanager
def plain_arithmetic(device: torch.device) -> Iterator[None]:
    """Full float32, no autocast, no autograd; the settings found are put back afterwards.

    The latents agree without this (they are computed in float64), but the pixels come out closer, and the
    encoder's picture of its own output stays honest.
    """
    cudnn, matmul = torch.backends.cudnn, torch.get_float32_matmul_precision()
    before = cudnn.allow_tf32, cudnn.benchmark
    torch.set_float32_matmul_precision("highest")
    cudnn.allow_tf32, cudnn.benchmark = False, False
    try:
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        cudnn.allow_tf32, cudnn.benchmark = before
