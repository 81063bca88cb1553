"""What :func:`torch.compile` is told about code that it should not trace.

``torch.compiler``'s decorators import the compiler, which takes a second and half a thousand modules. So code
that is not to be traced goes through here only while something compiles it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["outside", "settled"]


@torch.compiler.disable
def outside(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a function that runs outside the compiled code."""
    return function(*arguments)


@torch.compiler.assume_constant_result
def settled(question: Callable[[], bool]) -> bool:
    """The answer of a function, asked once and for all when code is compiled."""
    return question()
