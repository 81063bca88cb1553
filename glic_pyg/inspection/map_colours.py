"""One way to colour a map of numbers, wherever it is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLOUR_MAP", "limits", "map_colours"]

COLOUR_MAP = "cividis"
"""Of matplotlib: dark blue to yellow, even in lightness, the same for colour-blind readers."""


def limits(values: NDArray[Any]) -> tuple[float, float]:
    """The 1st and the 99th percentile, so that a few outliers do not leave the rest in one colour."""
    low, high = np.percentile(values, (1, 99))
    return float(low), float(high)


def map_colours(values: NDArray[Any]) -> NDArray[np.float32]:
    """An (h, w) map as (h, w, 3) in [0, 1]; a map of one value is dark."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    low, high = limits(values)
    shown = colormaps[COLOUR_MAP](Normalize(low, high, clip=True)(values.astype(np.float64)))
    colours: NDArray[np.float32] = shown[..., :3].astype(np.float32)
    return colours
