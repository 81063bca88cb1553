"""glic-pyg: learned image compression with graph neural networks, in PyTorch Geometric.

The names below are imported when first used, so that ``import glic_pyg`` and ``glic --help`` stay quick.
Importing the package changes nothing else in the process; :func:`glic_pyg.runtime.prepare` does, on request.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glic_pyg.codec.api import decode, encode
    from glic_pyg.codec.results import open_info
    from glic_pyg.models.released import load_released

__all__ = ["__version__", "decode", "encode", "load_released", "open_info"]

__version__ = "0.1.0"

_HOMES = {
    "decode": "glic_pyg.codec.api",
    "encode": "glic_pyg.codec.api",
    "load_released": "glic_pyg.models.released",
    "open_info": "glic_pyg.codec.results",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
