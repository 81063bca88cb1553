"""Lets ``import torchvision`` succeed where its compiled operators do not fit the installed torch.

CompressAI imports torchvision, and torchvision describes its operators (``nms``, ``qnms``) to torch while it
is being imported. A CPU-only torch beside a CUDA build of torchvision cannot load those operators, and the
import then fails although nothing here ever calls them. Declaring the two schemas first is enough. Because
torch takes seconds to import, this waits until somebody really asks for torchvision.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

__all__ = ["install"]

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []  # torch forgets the schemas when their Library object is collected


class _BeforeTorchvision(MetaPathFinder):
    """Declares the operators when torchvision is looked up for the first time, then steps aside."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            _declare_operators()
        return None


def _declare_operators() -> None:
    """Load torchvision's own operators, or declare their schemas where they do not load."""
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for library in Path(spec.origin).parent.glob("_C*"):
        with contextlib.suppress(OSError):
            torch.ops.load_library(str(library))
    if hasattr(torch.ops.torchvision, "nms"):
        return
    operators = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        operators.define(schema)
    _declared.append(operators)


def install() -> None:
    """Make the next ``import torchvision`` safe; does nothing when it is imported already."""
    if "torchvision" in sys.modules or any(isinstance(f, _BeforeTorchvision) for f in sys.meta_path):
        return
    sys.meta_path.insert(0, _BeforeTorchvision())
