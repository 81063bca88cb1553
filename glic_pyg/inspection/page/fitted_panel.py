"""As many nodes of a photo as fit into a page."""

from __future__ import annotations

from typing import Any

from glic_pyg.inspection.inspection import Inspection
from glic_pyg.inspection.page.packed_panel import Fields, pack_panel
from glic_pyg.inspection.page.streams import Streams

__all__ = ["fitted_panel"]

LIMIT = 4_900_000  # bytes of binary data a photo
LEAST_GROWTH = 3  # four times the nodes add at least so much of what the step before added
_PITCHES = (64, 32, 16, 8, 4)
_BETWEEN = {64: 48, 32: 24}
"""Where the next finer pitch does not fit, this one may."""

Packed = tuple[dict[str, Any], Streams]


def fitted_panel(inspection: Inspection, fields: Fields | None, name: str) -> Packed:
    """The panel with the most nodes that fits into :data:`LIMIT`, and its binary data.

    Args:
        inspection: what to show.
        fields: its receptive fields.
        name: of the data in the page.
    """
    finest = min((block.stride for block in inspection.blocks), default=_PITCHES[0])
    best, before = _packed(inspection, fields, name, _PITCHES[0]), None
    for pitch in _PITCHES[1:]:
        size = best[1].size
        if best[0]["pitch"] <= finest:
            return best
        too_large = before is not None and size + LEAST_GROWTH * (size - before) > LIMIT
        finer = None if too_large else _packed(inspection, fields, name, pitch)
        if finer is None or finer[1].size > LIMIT:
            break
        best, before = finer, size
    between = _BETWEEN.get(best[0]["pitch"])
    finer = None if between is None else _packed(inspection, fields, name, between)
    return finer if finer is not None and finer[1].size <= LIMIT else best


def _packed(inspection: Inspection, fields: Fields | None, name: str, pitch: int) -> Packed:
    streams = Streams(name)
    return {"streams": name, **pack_panel(inspection, pitch, streams, fields)}, streams
