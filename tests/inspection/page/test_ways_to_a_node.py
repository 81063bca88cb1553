"""How one gets to a node, in a real Chromium: keys, clicks, taps, and a second photo beside the first."""

from __future__ import annotations

from pathlib import Path

from tests.browser import OpenPage
from tests.inspection.page.pointing import VIEW, hover, settled, shown_node


def test_keys_move_the_node_and_step_through_the_choosers(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    settled(page)
    page.locator(VIEW).focus()
    row, column = shown_node(page)
    for key, expected_node in [
        ("ArrowRight", (row, column + 1)),
        ("ArrowDown", (row + 1, column + 1)),
        ("Shift+ArrowLeft", (row + 1, max(0, column - 7))),
        ("Home", (row, column)),
    ]:
        page.keyboard.press(key)
        settled(page)
        assert shown_node(page) == expected_node
    page.locator("#spoken", has_text=f"Node {row}, {column}: ").wait_for(state="attached")
    for key, chooser, value in [("s", "stage", "g_s 2"), ("l", "layer", "0"), ("h", "head", "0")]:
        page.keyboard.press(key)
        assert page.locator(f"#{chooser}").input_value() == value
    page.keyboard.press("o")
    page.keyboard.press("p")
    page.keyboard.press("2")
    settled(page)
    assert page.locator("#overlay input:checked").input_value() == "complexity"
    assert page.locator("#picture input:checked").input_value() == "decoded"
    assert page.locator(".view .mesh").count() == 0 and page.locator(".view .local").count() == 1


def test_a_click_holds_the_node(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    hover(page, 20, 20)
    page.locator(VIEW).click(position={"x": 20, "y": 20})
    held = shown_node(page)
    hover(page, 150, 100)
    assert shown_node(page) == held
    page.locator(VIEW).click(position={"x": 150, "y": 100})
    settled(page)
    assert shown_node(page) == (100 // 8, 150 // 8)


def test_a_tap_chooses_a_node(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file, width=375, touch=True)
    settled(page)
    page.locator(VIEW).tap(position={"x": 90, "y": 50})
    settled(page)
    assert shown_node(page) == (50 // 8, 90 // 8)
    page.locator(VIEW).tap(position={"x": 10, "y": 10})
    settled(page)
    assert shown_node(page) == (1, 1)


def test_cursors_are_linked(open_page: OpenPage, two_file: Path) -> None:
    page = open_page(two_file)
    hover(page, 150, 30)
    assert shown_node(page, 0) == (3, 18)
    assert shown_node(page, 1) == (int(200 * 30 / 130) // 8, int(130 * 150 / 200) // 8)
    assert page.locator("h2").nth(1).text_content().strip().startswith("<b>turned</b>")
