"""Registers kernels as PyTorch operators ``torch.ops.glic_pyg.*``, for :func:`torch.compile` and its kin.

To a compiler an operator is one node: it keeps what goes in alive for the call, and knows the shape and dtype
of what comes out from the operator's *fake*, which computes nothing. Gradients are those of the autograd
functions in :mod:`glic_pyg.nn`, whose backward passes call operators too.

``torch.library.Library`` adds some 2 us to a call, its convenient relative ``torch.library.custom_op`` 20
to 37 us, too much for the thousand small calls of a training step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch

__all__ = ["no_result", "operator"]

Function = TypeVar("Function", bound=Callable[..., Any])

_LIBRARY = torch.library.Library("glic_pyg", "DEF")


def operator(schema: str, fake: Callable[..., Any]) -> Callable[[Function], Function]:
    """Decorate a function for CPU tensors: it becomes the operator of the schema.

    Args:
        schema: ``name(arguments) -> results`` in PyTorch's notation; arguments that are written are marked.
        fake: takes the same arguments and returns empty results of the right shape, dtype and strides.
    """

    def register(function: Function) -> Function:
        name = schema.split("(")[0]
        _LIBRARY.define(schema)
        _LIBRARY.impl(name, function, "CPU")
        torch.library.register_fake(f"glic_pyg::{name}", fake, lib=_LIBRARY)
        overload: Any = getattr(torch.ops.glic_pyg, name).default
        return overload

    return register


def no_result(*_: object) -> None:
    """The fake of an operator that only writes to its arguments."""
