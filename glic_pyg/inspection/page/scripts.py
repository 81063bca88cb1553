"""The page's JavaScript modules as one script."""

from __future__ import annotations

import re
from importlib.resources import files

__all__ = ["joined_scripts"]

# A module stands below those that it imports from. Names at the top of modules differ from one another.
_MODULES = (
    "streams", "geometry", "node_map", "neighbours", "panel_data", "numbers", "colours", "choices",
    "overlays", "marks", "lens", "words", "readout", "figure", "controls", "keyboard", "main",
)  # fmt: skip
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(async )?(function|class|const) )", re.MULTILINE)


def joined_scripts() -> str:
    """All modules in one, without ``import`` and ``export``: a page of one file can load no others."""
    folder = files("glic_pyg.inspection.page") / "js"
    modules = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in _MODULES]
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", module)).strip() + "\n" for module in modules)
