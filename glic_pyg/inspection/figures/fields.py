"""Effective receptive fields before and after training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glic_pyg.inspection.figures.drawing import draw_map, mark
from glic_pyg.inspection.figures.grid import grid_figure
from glic_pyg.inspection.graph_arrays import Node
from glic_pyg.inspection.receptive_fields import ReceptiveFields
from glic_pyg.models.contract import LATENT_STRIDE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["field_figure"]

_SPAN = (-5.0, -2.0)  # powers of ten below the strongest pixel; beyond them colours stay the same

_CAPTION = (
    "Brightness: gradient of the latents at the ringed place with respect to each pixel, "
    "as a share of the strongest pixel's."
)


def field_figure(fields: Mapping[str, ReceptiveFields], kind: str = "png") -> bytes:
    """A row a model, a column a place of y: how much it depends on each pixel, as a power of ten.

    Args:
        fields: by what to call the model, e.g. ``untrained``; all of the same places and photo.
        kind: ``"png"``, ``"svg"`` or ``"pdf"``.
    """
    rows = [
        [
            partial(_draw, field=field, node=(int(row), int(column)), title=f"{title}: place {number}")
            for number, (field, (row, column)) in enumerate(
                zip(found.maps, found.positions, strict=True), start=1
            )
        ]
        for title, found in fields.items()
    ]
    height, width = next(iter(fields.values())).maps.shape[1:]
    return grid_figure(rows, (height, width), kind, caption=_CAPTION)


def _draw(axes: Axes, field: NDArray[np.float32], node: Node, title: str) -> None:
    height, width = field.shape
    relative = np.maximum(field / field.max(), 10 ** _SPAN[0])
    draw_map(axes, np.log10(relative), 1, (height, width), title, span=_SPAN, write=_power)
    mark(axes, node, LATENT_STRIDE, "")


def _power(exponent: float) -> str:
    return f"$10^{{{exponent:.0f}}}$"
