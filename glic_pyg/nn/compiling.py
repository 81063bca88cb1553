"""What :func:`torch.compile` is told about code that it should not trace.

``torch.compiler``'s decorators import the compiler, which takes a second and half a thousand modules. So the
code itself is plain, and asks for its twin here only while something compiles it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from glic_pyg.nn.edge_attention import compressed
from glic_pyg.nn.kernels import library

if TYPE_CHECKING:
    from glic_pyg.nn.gfa import GFABlock

__all__ = ["graphs_of", "have_kernels", "order_of_edges"]


@torch.compiler.disable
def graphs_of(block: GFABlock, x: Tensor) -> Mapping[str, Any]:
    """The graphs of a block, built outside the compiled code."""
    return block.graphs(x)


order_of_edges = torch.compiler.disable(compressed)
"""Edges grouped by target, outside the compiled code."""


@torch.compiler.assume_constant_result
def have_kernels() -> bool:
    """Whether the kernels in C are in use: settled when code is compiled."""
    return library.usable()
