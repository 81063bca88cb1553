"""Float32 networks run in float64: what encoder and decoder must agree on is computed this way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call


def float64_network(module: nn.Module) -> Callable[..., Tensor]:
    """A float32 module as a float64 function, its weights converted once, for as long as the function lives.

    For networks that run again and again; the copy takes twice the memory of the module.
    """
    weights = {name: p.double() for name, p in module.named_parameters()}
    return lambda *inputs: functional_call(module, weights, tuple(map(_double, inputs)))


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


def _double(argument: Any) -> Any:
    """Tensors in float64; a channel or an absent tensor as it is."""
    return argument.double() if isinstance(argument, Tensor) else argument
