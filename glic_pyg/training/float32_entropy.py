"""Keeps the entropy models in float32 while the rest of a model runs under autocast."""

from contextlib import ExitStack
from typing import Any

import torch
from compressai.entropy_models import EntropyModel
from torch import Tensor, nn


def entropy_in_float32(model: nn.Module) -> None:
    """Make every entropy model of `model` compute in float32, whatever autocast says around it.

    A likelihood is the difference of two cumulatives that may be nearly equal, and a latent of 100 has a
    spacing of 1/2 in bfloat16: there is no room for noise around it. Inputs are widened to float32 (float64
    stays) and autocast is off inside. Done by hooks, which leave the model's class, its names and its copies
    alone.

    Args:
        model: holds any number of CompressAI's entropy models; changed in place.
    """
    for module in model.modules():
        if isinstance(module, EntropyModel):
            guard = _Float32()
            module.register_forward_pre_hook(guard.enter, with_kwargs=True)
            module.register_forward_hook(guard.leave, always_call=True)


class _Float32:
    """The two hooks of one module."""

    def __init__(self) -> None:
        self.inside: list[ExitStack] = []

    def enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        stack = ExitStack()
        stack.enter_context(torch.autocast(args[0].device.type, enabled=False))
        self.inside.append(stack)
        return tuple(_wide(a) for a in args), {name: _wide(value) for name, value in kwargs.items()}

    def leave(self, *_: Any) -> None:
        self.inside.pop().close()


def _wide(value: Any) -> Any:
    """Half precision to float32, everything else as it is."""
    is_half = isinstance(value, Tensor) and value.is_floating_point() and value.element_size() == 2
    return value.float() if is_half else value
