"""Every architecture by the name that weights files give it."""

from __future__ import annotations

from typing import Any

from glic_pyg.models.base import Codec
from glic_pyg.models.compressai import ELIC, Attention, Autoregressive, Hyperprior
from glic_pyg.models.glic import GLIC
from glic_pyg.models.mlicpp import MLICpp

ARCHITECTURES: dict[str, type[Codec]] = {
    "glic": GLIC,
    "mlicpp": MLICpp,
    "hyperprior": Hyperprior,
    "autoregressive": Autoregressive,
    "attention": Attention,
    "elic": ELIC,
}
"""A new backbone is a file, a yaml a size in ``conf/model``, a row here and one in ``tests/contracts``."""


def architecture_name(model: Codec) -> str:
    """The name of a model's class.

    Raises:
        ValueError: it is in no row of the table.
    """
    for name, architecture in ARCHITECTURES.items():
        if type(model) is architecture:
            return name
    raise ValueError(
        f"a {type(model).__name__} is none of the architectures {', '.join(ARCHITECTURES)}: "
        "give its class a name in glic_pyg/models/registry.py"
    )


def build(name: str, config: dict[str, Any]) -> Codec:
    """A model with untrained weights.

    Args:
        name: a row of the table.
        config: keyword arguments of the class.

    Raises:
        ValueError: the name is in no row.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"its architecture '{name}' is none of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name](**config)
