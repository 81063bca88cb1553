"""A real headless Chromium for the tests of pages; without one they are skipped."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = (375, 1440)
PATIENCE = 90_000  # milliseconds, for machines that are busy

OpenPage = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Of playwright; Chromium is the one of ``$CHROMIUM`` or of the PATH."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium: install it (Debian: apt-get install chromium) or set CHROMIUM to its path")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[OpenPage]:
    """``open_page(file, width=1440, dark=False, touch=False)``; whatever the console says fails the test."""
    contexts, complaints = [], []

    def open_file(path: Path, *, width: int = 1440, dark: bool = False, touch: bool = False) -> Any:
        scheme = "dark" if dark else "light"
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, has_touch=touch, offline=True
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.extend(_foreign(request.url, path)))
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert not complaints, complaints


def _foreign(address: str, path: Path) -> list[str]:
    """What a page should not ask for: anything but itself and the data that it holds."""
    return [] if address == path.as_uri() or address.startswith("data:") else [f"asks for {address}"]


def wait_until(page: Any, condition: str) -> None:
    """Wait for a frame in which a JavaScript expression is true.

    Playwright's own ``wait_for_function`` evaluates the string inside the page, which its policy forbids, as
    soon as the first try fails.
    """
    limit = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < limit, f"not true within {PATIENCE / 1000:g} s: {condition}"
        page.wait_for_timeout(20)


def overflow(page: Any) -> int:
    """Pixels that a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def out_of_reach(page: Any, selector: str) -> list[str]:
    """Visible controls that lie beside the window or under others once they are scrolled to."""
    return page.evaluate(
        """selector => [...document.querySelectorAll(selector)].filter(element => {
            if (!element.checkVisibility()) return false;
            element.scrollIntoView({ block: "center" });
            const box = element.getBoundingClientRect();
            const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
            const reached = hit && (element.contains(hit) || hit.contains(element));
            return !(reached && box.left >= 0 && box.right <= innerWidth);
        }).map(element => element.outerHTML.slice(0, 80))""",
        selector,
    )
