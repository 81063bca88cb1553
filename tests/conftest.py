"""Loaded before every test: glic_pyg first, because it makes torchvision importable (glic_pyg/compat.py)."""

import glic_pyg  # noqa: F401
from tests.browser import browser, open_page

__all__ = ["browser", "open_page"]
