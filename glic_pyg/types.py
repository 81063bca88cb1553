"""Type aliases that several packages share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pixels"]

Pixels = NDArray[np.uint8]
"""An 8-bit image, (H, W, 3) RGB or (H, W) grey."""
