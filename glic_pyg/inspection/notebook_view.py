"""What a notebook shows of a graph: a few facts and its maps as small pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glic_pyg.inspection.map_colours import limits, map_colours

__all__ = ["notebook_view"]

_WIDTH = 220  # pixels of the screen


def notebook_view(title: str, facts: Mapping[str, str], maps: Mapping[str, NDArray[Any]]) -> str:
    """HTML of a title, a line of facts and maps with what their darkest and brightest colours stand for."""
    line = " · ".join(f"{escape(value)} {escape(name)}" for name, value in facts.items())
    figures = "".join(_figure(name, values) for name, values in maps.items())
    row = f"<div style='display:flex;gap:1em'>{figures}</div>"
    return f"<div><strong>{escape(title)}</strong><br>{line}{row}</div>"


def _figure(name: str, values: NDArray[Any]) -> str:
    out, (low, high) = io.BytesIO(), limits(values)
    Image.fromarray(np.uint8(map_colours(values) * 255)).save(out, "PNG")
    data = base64.b64encode(out.getvalue()).decode()
    caption = f"{escape(name)}: {low:.3g} (dark) to {high:.3g} (bright)"
    return (
        f"<figure style='margin:.5em 0'><img src='data:image/png;base64,{data}' alt='{caption}' "
        f"style='width:{_WIDTH}px;image-rendering:pixelated'><figcaption>{caption}</figcaption></figure>"
    )
