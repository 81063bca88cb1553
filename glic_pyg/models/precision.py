"""Latents are rounded to integers, which takes more digits than half precision has."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """``x``, or ``x`` as float32 if its type is narrower: bfloat16 has no odd integers beyond 256."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
