"""Loaded before every test: glic_pyg first, because it makes torchvision importable (glic_pyg/compat.py)."""

import pytest

import glic_pyg  # noqa: F401
from tests.browser import browser, open_page

__all__ = ["browser", "open_page"]

SLOW_LIMIT = 1800  # seconds; only a test that hangs is to fail, not one on a machine that is busy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests, most of which start processes and wait for them, get more time; there is no other limit."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(SLOW_LIMIT))
