"""Loaded before every test: glic_pyg first, because it makes torchvision importable (glic_pyg/compat.py)."""

import glic_pyg  # noqa: F401
