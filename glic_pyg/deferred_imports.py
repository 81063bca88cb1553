"""Puts off importing modules until something asks for what is in them.

Packages import more in their ``__init__`` than any one program uses. ``importlib.util.LazyLoader`` serves
single modules; packages it loads too early, as soon as the import system looks at them, and submodules twice.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

__all__ = ["defer_imports"]


def defer_imports(names: Iterable[str]) -> None:
    """Let the first ``import`` of these modules succeed without running them.

    They run when an attribute is asked for other than ``__file__`` and its like, or when a submodule of
    theirs is imported. Modules that were imported already stay as they are.

    Args:
        names: full names of modules that work whenever they are imported, not for their effects.
    """
    finder = next((found for found in sys.meta_path if isinstance(found, _Finder)), None)
    if finder is None:
        finder = _Finder()
        sys.meta_path.insert(0, finder)
    finder.names.update(name for name in names if name not in sys.modules)


class _Deferred(ModuleType):
    """Stands in ``sys.modules`` for a module that was not needed yet; afterwards it passes on to that."""

    def __getattr__(self, attribute: str) -> Any:
        return getattr(_load(self), attribute)

    def __dir__(self) -> list[str]:
        return dir(_load(self))


_lock = threading.Lock()
"""Held while a stand-in is taken away, never while a module is imported: that has locks of its own."""


def _load(stand_in: ModuleType) -> ModuleType:
    """The module itself, imported now if it was not yet."""
    name = stand_in.__name__
    with _lock:
        if sys.modules.get(name) is stand_in:
            for finder in sys.meta_path:
                if isinstance(finder, _Finder):
                    finder.names.discard(name)
            del sys.modules[name]
            parent, _, child = name.rpartition(".")
            if parent and vars(sys.modules[parent]).get(child) is stand_in:
                delattr(sys.modules[parent], child)
    return import_module(name)


class _Finder(MetaPathFinder):
    """Finds stand-ins for the deferred modules, and loads a deferred package before its submodules."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname in self.names:
            found = PathFinder.find_spec(fullname, path)
            return None if found is None else _spec_like(found, _Deferring())
        parent = sys.modules.get(fullname.rpartition(".")[0])
        if not isinstance(parent, _Deferred):
            return None
        _load(parent)
        module = import_module(fullname)  # by now it may be there: packages import their own submodules
        if module.__spec__ is None:
            return None
        spec = _spec_like(module.__spec__, _Present(module))
        module.__spec__ = spec  # of a module that is there, the import system goes by its own
        return spec


def _spec_like(found: ModuleSpec, loader: Loader) -> ModuleSpec:
    spec = ModuleSpec(found.name, loader, origin=found.origin)
    spec.submodule_search_locations = found.submodule_search_locations
    return spec


class _Deferring(Loader):
    """Makes stand-ins."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = _Deferred(spec.name)
        if spec.origin is not None:
            module.__file__ = spec.origin
        if spec.submodule_search_locations is not None:
            module.__path__ = spec.submodule_search_locations
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Not yet."""


class _Present(Loader):
    """Hands out a module that is there already, as it is."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec
