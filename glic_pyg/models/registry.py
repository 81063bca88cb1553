"""Every architecture by the name that weights files give it: ours, and those of other packages."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from torch import nn

from glic_pyg.models.base import Codec
from glic_pyg.models.compressai import ELIC, Attention, Autoregressive, Hyperprior
from glic_pyg.models.glic import GLIC
from glic_pyg.models.mlicpp import MLICpp

__all__ = ["ARCHITECTURES", "ENTRY_POINTS", "architecture", "architecture_name", "build", "name_of_target"]

ARCHITECTURES: dict[str, type[Codec]] = {
    "glic": GLIC,
    "mlicpp": MLICpp,
    "hyperprior": Hyperprior,
    "autoregressive": Autoregressive,
    "attention": Attention,
    "elic": ELIC,
}
"""Ours. A new one is a file, a yaml a size in ``conf/model``, a row here and one in ``tests/contracts``."""

ENTRY_POINTS = "glic_pyg.architectures"
"""Group of entry points by which other packages name theirs; docs/backbone.md has an example."""


def architecture(name: str) -> type[Codec]:
    """The class of an architecture; a package of somebody else's is imported when its name is asked for.

    Raises:
        ValueError: there is none of this name, or the package that has it cannot be used.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    for entry in _entries():
        if entry.name == name:
            return _loaded(entry)
    known = [*ARCHITECTURES, *(entry.name for entry in _entries())]
    raise ValueError(
        f"its architecture '{name}' is none of {', '.join(known)}; one of another package comes with that "
        "package"
    )


def architecture_name(model: nn.Module) -> str:
    """The name of a model's class.

    Raises:
        ValueError: it has none.
    """
    kind = type(model)
    for name, ours in ARCHITECTURES.items():
        if kind is ours:
            return name
    package = kind.__module__.partition(".")[0]
    for entry in _entries():
        if entry.module.partition(".")[0] == package and _loaded(entry) is kind:
            return entry.name
    raise ValueError(
        f"a {kind.__name__} is none of the architectures {', '.join(ARCHITECTURES)}: its package names it by "
        f"an entry point of {ENTRY_POINTS} (docs/backbone.md), ours in glic_pyg/models/registry.py"
    )


def name_of_target(target: str) -> str:
    """The name of the class that a configuration's ``_target_`` spells, wherever its package has it now.

    Raises:
        ValueError: it has none.
    """
    package, kind = target.partition(".")[0], target.rpartition(".")[2]
    for name, ours in ARCHITECTURES.items():
        if kind == ours.__name__ and package in ("glic_pyg", kind):
            return name
    for entry in _entries():
        if entry.module.partition(".")[0] == package and entry.attr == kind:
            return entry.name
    kinds = [ours.__name__ for ours in ARCHITECTURES.values()] + [entry.attr for entry in _entries()]
    raise ValueError(f"is of a {kind}, and files are written by {', '.join(kinds)}")


def build(name: str, config: dict[str, Any]) -> Codec:
    """A model with untrained weights.

    Args:
        name: of the architecture.
        config: keyword arguments of its class.

    Raises:
        ValueError: see :func:`architecture`.
    """
    return architecture(name)(**config)


@lru_cache(maxsize=1)
def _entries() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=ENTRY_POINTS))


def _loaded(entry: EntryPoint) -> type[Codec]:
    try:
        kind = entry.load()
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"its architecture '{entry.name}' cannot be imported: {reason}") from error
    if not (isinstance(kind, type) and issubclass(kind, Codec)):
        raise ValueError(f"its architecture '{entry.name}' is {entry.value}, which is no subclass of Codec")
    return kind
