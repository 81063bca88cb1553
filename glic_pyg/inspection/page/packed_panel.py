"""One photo with all that a page shows of it."""

from __future__ import annotations

import io
import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.inspection.inspection import Inspection
from glic_pyg.inspection.page.node_map import pack_values
from glic_pyg.inspection.page.packed_block import pack_block
from glic_pyg.inspection.page.streams import Streams
from glic_pyg.inspection.telling_nodes import telling_nodes

__all__ = ["Fields", "pack_panel"]

ERROR_SQUARE = 4  # pixels
FIELD_VALUES = 200_000  # of all receptive fields together, at most
FIELD_DECADES = 4  # powers of ten between the faintest square that is seen and the strongest
_WEBP_QUALITY = 90

Pixels = NDArray[np.uint8]


class Fields(Protocol):
    """Receptive fields: rows and columns (P, 2) of latents, 16 pixels apart, and their maps (P, H, W)."""

    @property
    def positions(self) -> NDArray[np.integer]: ...

    @property
    def maps(self) -> NDArray[np.floating]: ...


def pack_panel(
    inspection: Inspection, pitch: int, streams: Streams, fields: Fields | None = None
) -> dict[str, Any]:
    """A panel of the page.

    Args:
        inspection: what to show.
        pitch: pixels between nodes whose neighbours are shown, see :class:`KeptNodes`.
        streams: take the numbers in.
        fields: receptive fields of some latents of the same picture.
    """
    height, width = inspection.photo.shape[:2]
    return {
        "picture": inspection.picture,
        "weights": inspection.weights,
        "quality": inspection.quality,
        "width": width,
        "height": height,
        "pitch": pitch,
        "bpp": inspection.bpp,
        "psnr": inspection.psnr if math.isfinite(inspection.psnr) else None,  # JSON has no infinity
        "start": _start(inspection),
        "photo": streams.add_bytes(_webp(inspection.photo)),
        "decoded": streams.add_bytes(_webp(inspection.decoded)),
        "bits": pack_values(inspection.bit_map[::16, ::16], 16, streams),
        "error": pack_values(np.sqrt(block_means(inspection.error_map, ERROR_SQUARE)), ERROR_SQUARE, streams),
        "blocks": [pack_block(block, (height, width), pitch, streams) for block in inspection.blocks],
        "fields": None if fields is None else _pack_fields(fields, streams),
    }


def block_means(values: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """Means over squares of ``side`` pixels, those at the right and lower edge over what there is of them."""
    rows, columns = (np.arange(0, length, side) for length in values.shape)
    sums = np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, axis=0), columns, axis=1)
    heights, widths = (
        np.diff([*starts, length]) for starts, length in zip((rows, columns), values.shape, strict=True)
    )
    means: NDArray[np.float64] = sums / (heights[:, None] * widths)
    return means


def _pack_fields(fields: Fields, streams: Streams) -> dict[str, Any]:
    """Receptive fields on squares, as powers of ten below the strongest square of each.

    Those of trained weights are a peak on a wide plain; a linear scale, or a root, shows the peak alone.
    """
    side = 4
    while fields.maps.size / side**2 > FIELD_VALUES:
        side *= 2
    maps = np.stack([block_means(field, side) for field in fields.maps])
    shares = maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), np.finfo(np.float64).tiny)
    levels = 1 + np.log10(np.maximum(shares, 10.0**-FIELD_DECADES)) / FIELD_DECADES
    return {
        "positions": fields.positions.tolist(),
        "side": side,
        "decades": FIELD_DECADES,
        "rows": maps.shape[1],
        "columns": maps.shape[2],
        "stream": streams.add_array(np.round(levels * 255).astype(np.uint8)),
    }


def _start(inspection: Inspection) -> tuple[float, float]:
    """Where the page begins, x and y in pixels: a place with very many neighbours."""
    height, width = inspection.photo.shape[:2]
    if not inspection.blocks:
        return width / 2, height / 2
    block = min(inspection.blocks, key=lambda block: abs(block.stride - 8))
    row, column = telling_nodes(block.crop(block.degree, height, width), margin=0.25)[0]
    return (column + 0.5) * block.stride, (row + 0.5) * block.stride


def _webp(pixels: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", quality=_WEBP_QUALITY, method=4)
    return out.getvalue()
