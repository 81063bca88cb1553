"""Maps over the photo in few bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.page.streams import Streams

__all__ = ["STEPS", "pack_counts", "pack_values"]

STEPS = 1000


def pack_values(values: NDArray[np.floating], stride: int, streams: Streams) -> dict[str, Any]:
    """A map of real numbers, rounded to a thousandth of its range.

    Args:
        values: (h, w), finite.
        stride: pixels of the photo that one of them stands for, along each axis.
        streams: take the numbers in.
    """
    low, high = float(values.min()), float(values.max())
    levels = np.round((values - low) / ((high - low) or 1.0) * STEPS).astype(np.uint16)
    return _map(levels, low, (high - low) / STEPS, stride, streams)


def pack_counts(values: NDArray[np.integer], stride: int, streams: Streams) -> dict[str, Any]:
    """A map of whole numbers below 65536, exactly; arguments as of :func:`pack_values`."""
    return _map(values.astype(np.uint16), 0.0, 1.0, stride, streams)


def _map(
    levels: NDArray[np.uint16], low: float, step: float, stride: int, streams: Streams
) -> dict[str, Any]:
    rows, columns = levels.shape
    stream = streams.add_array(levels)
    return {"stream": stream, "rows": rows, "columns": columns, "stride": stride, "low": low, "step": step}
