"""Matplotlib figures in the style of the package, drawn without a display, and colours for maps.

Matplotlib is imported when a figure is made, not with this module.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOUR_MAP", "encode_figure", "map_colours", "percentile_limits", "styled_figure"]

COLOUR_MAP = "cividis"
"""Of all maps: dark blue to yellow, even in lightness, the same for colour-blind readers."""


@contextmanager
def styled_figure(width: float, height: float) -> Iterator[Figure]:
    """An empty figure in the package's style; draw and encode it inside the ``with``.

    Args:
        width, height: in inches.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with as_file(files("glic_pyg") / "plotting.mplstyle") as path, style.context(path):
        yield Figure(figsize=(width, height), layout="constrained")


def encode_figure(figure: Figure, kind: str = "png") -> bytes:
    """The contents of an image file of a figure.

    Args:
        figure: from :func:`styled_figure`, still inside its ``with``.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    out = io.BytesIO()
    figure.savefig(out, format=kind)
    return out.getvalue()


def percentile_limits(values: NDArray[Any]) -> tuple[float, float]:
    """The 1st and 99th percentile: colour limits that a few outliers do not stretch."""
    low, high = np.percentile(values, (1, 99))
    return float(low), float(high)


def map_colours(values: NDArray[Any]) -> NDArray[np.float32]:
    """RGB in [0, 1] of a map of numbers, (h, w) to (h, w, 3), between :func:`percentile_limits`.

    A constant map is dark everywhere.
    """
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    low, high = percentile_limits(values)
    shown = colormaps[COLOUR_MAP](Normalize(low, high, clip=True)(values.astype(np.float64)))
    colours: NDArray[np.float32] = shown[..., :3].astype(np.float32)
    return colours
