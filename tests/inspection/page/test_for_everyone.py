"""The page is sound on phones and desks, light and dark, and for those who hear it read."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.browser import WIDTHS, OpenPage, out_of_reach, overflow
from tests.inspection.page.pointing import settled


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("file", ["page_file", "two_file", "graphless_file"])
def test_sound_on_phones_and_desks(
    open_page: OpenPage, request: pytest.FixtureRequest, file: str, width: int, dark: bool
) -> None:
    page = open_page(request.getfixturevalue(file), width=width, dark=dark)
    settled(page)
    for details in page.locator("summary").all():
        if details.is_visible():
            details.click()
    assert overflow(page) == 0
    assert out_of_reach(page, "select, input, summary, .view") == []
    paper, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (brightness_of(paper) < brightness_of(ink)) == dark
    assert abs(brightness_of(paper) - brightness_of(ink)) > 150


def brightness_of(colour: str) -> float:
    return float(np.mean([float(part) for part in re.findall(r"[\d.]+", colour)[:3]]))


def test_controls_have_names(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    for role, name in [
        ("combobox", "Stage"), ("combobox", "Block"), ("combobox", "Layer"), ("combobox", "Head"),
        ("group", "Overlay"), ("radio", "Receptive field"), ("checkbox", "local"), ("radio", "Decoded"),
        ("application", "noise: choose a node"),
    ]:  # fmt: skip
        assert page.get_by_role(role, name=name).count() == 1, name
