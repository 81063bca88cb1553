"""Where the bits go and where the error stays."""

from __future__ import annotations

from functools import partial

import numpy as np

from glic_pyg.inspection.figures.drawing import draw_map, draw_photo
from glic_pyg.inspection.figures.grid import grid_figure
from glic_pyg.inspection.inspection import Inspection
from glic_pyg.models.contract import LATENT_STRIDE

__all__ = ["bits_and_error_figure"]

_CAPTION = (
    "Bits: as the entropy model predicts them, a value every 16 × 16 pixels. Error: RMS of the colours."
)


def bits_and_error_figure(inspection: Inspection, kind: str = "png") -> bytes:
    """The photo and what decoding gives; bits a pixel and the error in 8-bit levels (root mean square)."""
    size = inspection.size
    bits = inspection.bit_map[::LATENT_STRIDE, ::LATENT_STRIDE]
    error = np.sqrt(inspection.error_map)
    rows = [
        [
            partial(draw_photo, rgb=inspection.photo, title="Photo"),
            partial(draw_photo, rgb=inspection.decoded, title="Decoded"),
        ],
        [
            partial(draw_map, values=bits, stride=LATENT_STRIDE, size=size, title="Bits a pixel"),
            partial(draw_map, values=error, stride=1, size=size, title="Error in levels of 255"),
        ],
    ]
    return grid_figure(rows, size, kind, caption=_CAPTION)
