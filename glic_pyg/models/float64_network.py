"""Float32 networks run in float64: what encoder and decoder must agree on is computed this way.

The float64 network is a module of its own. The float32 module is only read, so any number of threads may
run it at the same time.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


def float64_network(module: nn.Module) -> Callable[..., Tensor]:
    """A float32 module as a float64 function, its weights converted once, for as long as the function lives.

    For networks that run again and again; the copy takes twice the memory of the module.
    """
    network = _float64_copy(module)
    return lambda *inputs: network(*map(_double, inputs))


def in_float64(module: nn.Module, *inputs: Any) -> Tensor:
    """Run a float32 module once on float64 input, converting its weights one layer at a time.

    A converted copy of a whole entropy model would take twice the model's memory; a converted layer
    lives only while it runs.
    """
    if isinstance(module, nn.Sequential):
        (x,) = inputs
        for layer in module:
            x = in_float64(layer, x)
        return x
    return float64_network(module)(*inputs)


def _float64_copy(module: nn.Module) -> nn.Module:
    """The same module with float64 parameters; buffers, hooks and settings are shared with the original."""
    twin = copy.copy(module)
    twin._parameters = {name: None if p is None else _converted(p) for name, p in module._parameters.items()}
    twin._modules = {name: None if m is None else _float64_copy(m) for name, m in module._modules.items()}
    return twin


def _converted(parameter: Tensor) -> Any:
    return parameter.detach().double()


def _double(argument: Any) -> Any:
    """Tensors in float64; a channel or an absent tensor as it is."""
    return argument.double() if isinstance(argument, Tensor) else argument
