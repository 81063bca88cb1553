"""Build a model for weights that exist already: no random numbers, no surprise in size or precision."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from compressai.entropy_models.entropy_models import EntropyModel
from compressai.ops import NonNegativeParametrizer
from torch import nn
from torch.overrides import TorchFunctionMode

from glic_pyg.models.base import Codec
from glic_pyg.models.registry import build

__all__ = ["build_for", "unfilled"]

_FACTORIES = (
    torch.empty, torch.zeros, torch.ones, torch.full, torch.eye, torch.rand, torch.randn,
    torch.tensor, torch.arange, torch.linspace, torch.logspace,
)  # fmt: skip
_RANDOM = ("uniform_", "normal_", "random_", "bernoulli_", "exponential_", "trunc_normal_")
_TENSORS_A_PARAMETER, _FREE_TENSORS = 8, 1000
_VALUES_A_VALUE, _FREE_VALUES = 4, 2**16
_FREE_NUMBER = 4096


def build_for(
    name: str, config: Mapping[str, Any], shapes: Mapping[str, Sequence[int]] | None = None
) -> Codec:
    """A float32 model on the CPU whose parameters are still to be filled, in eval mode.

    It does not depend on torch's default dtype and device nor on the modes of the caller, and leaves torch's
    random numbers alone. A configuration that asks for a much larger model than there are weights for is
    refused while it is being built, before its memory is used.

    Args:
        name: of the architecture.
        config: keyword arguments of its class.
        shapes: of the tensors that will fill it, by any names; ``None`` if the configuration is known.

    Raises:
        ValueError: there is no such architecture, the configuration does not suit it, or the model would be
            larger than the weights.
    """
    mode = _Unfilled()
    if shapes is not None:
        values = sum(math.prod(shape) for shape in shapes.values())
        _check_numbers(config, max(values, _FREE_NUMBER))
        mode = _Unfilled(len(shapes), values)
    with unfilled(mode):
        try:
            model = build(name, dict(config))
        except _TooLarge:
            raise
        except (Exception, RecursionError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"its architecture '{name}' cannot be built: {reason}") from error
        model.float()
        _restore_constants(model)
    return model.eval()


class _TooLarge(ValueError):
    """The configuration asks for more than the file holds."""

    def __init__(self) -> None:
        super().__init__("its architecture asks for a much larger model than it has weights for")


def _check_numbers(config: Any, largest: int) -> None:
    """Refuse a width or a depth that no model of so many weights can have."""
    if isinstance(config, Mapping):
        config = list(config.values())
    if isinstance(config, list | tuple):
        if len(config) > largest:
            raise _TooLarge
        for value in config:
            _check_numbers(value, largest)
    elif isinstance(config, int | float) and not abs(config) <= largest:
        raise _TooLarge


@contextmanager
def unfilled(mode: TorchFunctionMode | None = None) -> Iterator[None]:
    """Models that are built inside get float32 parameters on the CPU, of whatever values."""
    with torch.inference_mode(False), torch.enable_grad(), torch.device("cpu"), mode or _Unfilled():
        yield


class _Unfilled(TorchFunctionMode):
    """New tensors are float32 and keep what their memory held; there may be only so many of them."""

    def __init__(self, tensors: int | None = None, values: int = 0) -> None:
        super().__init__()
        self._limited = tensors is not None
        self._tensors = _TENSORS_A_PARAMETER * (tensors or 0) + _FREE_TENSORS
        self._values = _VALUES_A_VALUE * values + _FREE_VALUES

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.__name__ in _RANDOM or getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        if func not in _FACTORIES:
            return func(*args, **kwargs)
        values, floating = _planned(func, args, kwargs)
        self._claim(values)
        if floating and kwargs.get("dtype") is None:
            kwargs = {**kwargs, "dtype": torch.float32}
        return func(*args, **kwargs)

    def _claim(self, values: int) -> None:
        self._tensors -= 1
        self._values -= values
        if self._limited and (self._tensors < 0 or self._values < 0):
            raise _TooLarge


def _planned(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, bool]:
    """How many values a call of a factory makes, and whether they are of a floating-point type by default.

    Torch could tell this for sequences too, on its meta device, but imports its compiler for it.
    """
    if func is torch.arange:
        bounds = [*args, *(kwargs[name] for name in ("start", "end", "step") if name in kwargs)]
        start, end, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        return math.ceil((end - start) / step), any(isinstance(bound, float) for bound in bounds)
    if func in (torch.linspace, torch.logspace):
        return int(kwargs["steps"] if "steps" in kwargs else args[2]), True
    planned = func(*args, **{**kwargs, "device": "meta"})
    return planned.numel(), planned.is_floating_point()


def _restore_constants(model: nn.Module) -> None:
    """Set the buffers that CompressAI makes in torch's default dtype, which may have cost them digits."""
    for module in model.modules():
        if isinstance(module, NonNegativeParametrizer):
            pedestal = module.reparam_offset**2
            module.pedestal.fill_(pedestal)
            module.lower_bound.bound.fill_((module.minimum + pedestal) ** 0.5)
        if isinstance(module, EntropyModel):
            module.likelihood_lower_bound.bound.fill_(_default(EntropyModel, "likelihood_bound"))
        if isinstance(module, EntropyBottleneck):
            target = torch.tensor(2 / module.tail_mass - 1, dtype=torch.float64).log()
            module.target.copy_(torch.stack([-target, torch.zeros_like(target), target]))
        if isinstance(module, GaussianConditional):
            scale_bound = _default(GaussianConditional, "scale_bound")
            module.lower_bound_scale.bound.fill_(scale_bound)
            module.scale_bound.fill_(scale_bound)


def _default(kind: type, name: str) -> float:
    return float(inspect.signature(kind).parameters[name].default)
