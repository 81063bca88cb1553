r"""Where two machines must agree: values snapped to a lattice, scales turned into table numbers.

.. math:: n = \lfloor 256 \mu + 1/2 \rfloor, \qquad
   s = \lfloor \ln(\max(\sigma, 0.11) / 0.11) / \ln r + 1/2 \rfloor

n is taken of every mean, and of y_hat itself where a model corrects it after decoding.
Entropy networks computed in float64 differ between machines by about 1e-14 (a test measures it). That changes
n or s only where the number before rounding is within that distance of a half, a *tie*. The encoder lists
every rounding within ``MARGIN`` of a tie together with its outcome, and the decoder takes the outcome from
the list: in the file that is a fraction of a byte per megapixel, and it costs no second attempt.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from glic_pyg.codec.tables import LEAST_SCALE, LOG_SCALE_STEP, SCALE_LEVELS

__all__ = [
    "LATTICE",
    "LATTICE_LIMIT",
    "MARGIN",
    "Rounded",
    "lattice_coordinates",
    "level_coordinates",
    "round_tracked",
]

LATTICE = 256
"""Lattice points between two integers."""

MARGIN = 1e-9
"""Roundings nearer than this to a tie (in units of y, and of log-scale) are written to the file."""

LATTICE_LIMIT = float(1 << 15)
"""Values are clamped to [-LATTICE_LIMIT, LATTICE_LIMIT], so that y_hat is exact in float32."""


@dataclass(frozen=True)
class Rounded:
    """Integers and where they nearly were other integers.

    Attributes:
        values: int64, the shape of the input.
        near: int64 (k,), flat places within the margin of a tie, ascending.
    """

    values: Tensor
    near: Tensor


def lattice_coordinates(values: Tensor) -> Tensor:
    """Values in lattice steps, before rounding: float64, the shape of ``values``."""
    return values.clamp(-LATTICE_LIMIT, LATTICE_LIMIT) * LATTICE


def level_coordinates(scales: Tensor) -> Tensor:
    """Scales as table numbers, before rounding: float64 in [0, SCALE_LEVELS - 1]."""
    levels = (scales.clamp_min(LEAST_SCALE) / LEAST_SCALE).log_().div_(LOG_SCALE_STEP)
    return levels.clamp_(0.0, float(SCALE_LEVELS - 1))


def round_tracked(coordinates: Tensor, margin: float) -> Rounded:
    """Round half up and tell which roundings lie within ``margin`` (in coordinates) of a tie."""
    low = coordinates.floor()
    above_half = coordinates - low - 0.5
    near = above_half.abs() < margin
    places = near.flatten().nonzero().flatten() if bool(near.any()) else torch.empty(0, dtype=torch.int64)
    return Rounded((low + (above_half >= 0)).to(torch.int64), places.cpu())
