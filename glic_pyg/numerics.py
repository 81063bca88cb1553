"""Numeric formats: what has to be computed in at least float32."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

__all__ = ["at_least_float32", "widened"]

T = TypeVar("T")


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision as float32; float32 and float64 unchanged.

    Latents are rounded to integers, and bfloat16 has no odd integers beyond 256; a likelihood is the
    difference of two nearly equal numbers.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def widened(value: T) -> T | Tensor:
    """:func:`at_least_float32` of a floating-point tensor, and any other value unchanged."""
    return at_least_float32(value) if isinstance(value, Tensor) and value.is_floating_point() else value
