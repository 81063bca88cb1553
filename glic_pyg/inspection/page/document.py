"""The page as text and as a file."""

from __future__ import annotations

import json
import re
from html import escape
from importlib.resources import files
from pathlib import Path

from glic_pyg.files import write_file
from glic_pyg.inspection.inspection import Inspection
from glic_pyg.inspection.page.fitted_panel import fitted_panel
from glic_pyg.inspection.page.node_map import STEPS
from glic_pyg.inspection.page.packed_block import WEIGHT_STEPS
from glic_pyg.inspection.page.packed_panel import Fields
from glic_pyg.inspection.page.scripts import joined_scripts

__all__ = ["page", "write_page"]


def write_page(
    inspection: Inspection,
    path: Path,
    *,
    second: Inspection | None = None,
    fields: Fields | None = None,
    second_fields: Fields | None = None,
) -> None:
    """Write :func:`page` to a file; one that is there is replaced, and only by a whole one."""
    write_file(path, page(inspection, second=second, fields=fields, second_fields=second_fields))


def page(
    inspection: Inspection,
    *,
    second: Inspection | None = None,
    fields: Fields | None = None,
    second_fields: Fields | None = None,
) -> str:
    """A page that loads nothing: point at a place of the photo and see who its node reads from.

    Attention of every node, layer and head would not fit: neighbours are kept of one node in every square of
    8 x 8 pixels, or of as many as fit (all of them in a small photo); see ``fitted_panel``, and
    ``packed_block`` for what is rounded.

    Args:
        inspection: of a photo by a model.
        second: of another photo, or of the same by another model, shown beside the first.
        fields, second_fields: their receptive fields.
    """
    shown = [(inspection, fields)] if second is None else [(inspection, fields), (second, second_fields)]
    panels, streams = zip(*(fitted_panel(*each, f"panel-{i}") for i, each in enumerate(shown)), strict=True)
    return _filled(
        title=escape(" and ".join(dict.fromkeys(each.picture or "A photo" for each, _ in shown))),
        style=_part("page.css"),
        data=json.dumps(
            {"panels": panels, "weightSteps": WEIGHT_STEPS, "mapSteps": STEPS}, separators=(",", ":")
        ).replace("<", "\\u003c"),
        streams="\n".join(pieces.html() for pieces in streams),
        script=joined_scripts(),
    )


def _filled(**parts: str) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda gap: parts[gap[1]], _part("page.html"))


def _part(name: str) -> str:
    return (files("glic_pyg.inspection.page") / name).read_text(encoding="utf-8")
