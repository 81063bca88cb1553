"""The page as text and as a file, with as many nodes as its size limit allows."""

from __future__ import annotations

import json
import re
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from glic_pyg.files import write_file
from glic_pyg.inspection.inspect import Inspection
from glic_pyg.inspection.page.packing import (
    LEVELS_PER_OCTAVE,
    MAP_STEPS,
    TOP_LEVEL,
    Fields,
    Streams,
    pack_panel,
)
from glic_pyg.inspection.stats import graph_stats

__all__ = ["fitted_panel", "joined_scripts", "page", "write_page"]

LIMIT = 4_900_000  # bytes of binary data per image
LEAST_GROWTH = 3  # four times the nodes add at least so many times what the step before added
_PITCHES = (64, 32, 16, 8, 4)
_BETWEEN = {64: 48, 32: 24}
"""Where the next finer pitch does not fit, this one may."""

# A module stands below those that it imports from. Names at the top of modules differ from one another.
_MODULES = ("data", "words", "overlays", "figure", "controls", "main")
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(async )?(function|class|const) )", re.MULTILINE)

Packed = tuple[dict[str, Any], Streams]


def write_page(
    inspection: Inspection,
    path: Path,
    *,
    second: Inspection | None = None,
    fields: Fields | None = None,
    second_fields: Fields | None = None,
) -> None:
    """Write :func:`page` to a file, atomically."""
    write_file(path, page(inspection, second=second, fields=fields, second_fields=second_fields))


def page(
    inspection: Inspection,
    *,
    second: Inspection | None = None,
    fields: Fields | None = None,
    second_fields: Fields | None = None,
) -> str:
    """A page that loads nothing: point at the image and see which nodes the node there attends to.

    The attention of every node, layer and head would not fit, so neighbours are kept for one node in every
    square of 8 x 8 pixels, or for as many as fit (all of them in a small image); see :func:`fitted_panel`,
    and ``packing`` for what is rounded.

    Args:
        inspection: of an image by a model.
        second: of another image, or of the same by another model, shown beside the first.
        fields, second_fields: their receptive fields.
    """
    shown = [(inspection, fields)] if second is None else [(inspection, fields), (second, second_fields)]
    panels, streams = zip(*(fitted_panel(*each, f"panel-{i}") for i, each in enumerate(shown)), strict=True)
    scales = {"levelsPerOctave": LEVELS_PER_OCTAVE, "topLevel": TOP_LEVEL, "mapSteps": MAP_STEPS}
    parts = {
        "title": escape(" and ".join(dict.fromkeys(each.name or "An image" for each, _ in shown))),
        "style": _read("page.css"),
        "data": json.dumps({"panels": panels, **scales}, separators=(",", ":")).replace("<", "\\u003c"),
        "streams": "\n".join(stream.html() for stream in streams),
        "script": joined_scripts(),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda gap: parts[gap[1]], _read("page.html"))


def fitted_panel(inspection: Inspection, fields: Fields | None, name: str) -> Packed:
    """The panel with the most nodes that fits into :data:`LIMIT`, and its binary data.

    Args:
        inspection: what to show.
        fields: its receptive fields.
        name: of the data in the page.
    """
    found = iter(graph_stats(inspection))
    stats = [{kind: next(found) for kind in block.graphs} for block in inspection.blocks]

    def packed(pitch: int) -> Packed:
        streams = Streams(name)
        return {"streams": name, **pack_panel(inspection, stats, pitch, streams, fields)}, streams

    finest = min((block.stride for block in inspection.blocks), default=_PITCHES[0])
    best, before = packed(_PITCHES[0]), None
    for pitch in _PITCHES[1:]:
        size = best[1].size
        if best[0]["pitch"] <= finest:
            return best
        too_large = before is not None and size + LEAST_GROWTH * (size - before) > LIMIT
        finer = None if too_large else packed(pitch)
        if finer is None or finer[1].size > LIMIT:
            break
        best, before = finer, size
    between = _BETWEEN.get(best[0]["pitch"])
    finer = None if between is None else packed(between)
    return finer if finer is not None and finer[1].size <= LIMIT else best


def joined_scripts() -> str:
    """All JavaScript modules as one script, without ``import`` and ``export``."""
    modules = [_read(f"js/{name}.js") for name in _MODULES]
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", module)).strip() + "\n" for module in modules)


def _read(name: str) -> str:
    return (files("glic_pyg.inspection.page") / name).read_text(encoding="utf-8")
