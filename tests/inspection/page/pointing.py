"""Choosing a node of a page in the browser, and reading which one is shown."""

from __future__ import annotations

import re
from typing import Any

VIEW = ".view"


def settled(page: Any) -> None:
    """Wait until all panels show what is chosen."""
    page.locator(".panel:not([aria-busy=false])").first.wait_for(state="detached")


def hover(page: Any, x: float, y: float, panel: int = 0) -> None:
    """Point at a pixel of a 200 x 130 photo."""
    view = page.locator(VIEW).nth(panel)
    zoom = view.bounding_box()["width"] / 200
    view.hover(position={"x": x * zoom, "y": y * zoom})
    settled(page)


def shown_node(page: Any, panel: int = 0) -> tuple[int, int]:
    found = re.match(r"Node (\d+), (\d+):", page.locator(".place").nth(panel).text_content())
    assert found
    return int(found[1]), int(found[2])
