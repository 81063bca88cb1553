"""The floating-point settings that images are coded with, independent of those of the surrounding program.

They hold for the calling thread alone: no setting of the process is changed, so other threads may encode,
decode or train at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from glic_pyg.errors import BadArgument

__all__ = ["full_precision_gradients", "full_precision_inference", "usable_device"]


def usable_device(name: str | torch.device) -> torch.device:
    """Return the device of this name, on which torch can compute in float64.

    Raises:
        BadArgument: there is none of that name.
    """
    try:
        device = torch.device(name)
        torch.empty(0, dtype=torch.float64, device=device)
    except Exception:  # RuntimeError, AssertionError, TypeError, ...: every kind of device has its own
        device = torch.device("meta")
    if device.type == "meta":  # tensors without values
        raise BadArgument(f"This torch cannot use the device '{name}'; try --device cpu (device='cpu').")
    return device


@contextmanager
def full_precision_inference(device: torch.device) -> Iterator[None]:
    """Compute in float32 without autocast, TF32 convolutions and autograd; new tensors default to the CPU.

    The latents agree without this, being computed in float64; it keeps the pixels close from machine to
    machine. ``torch.set_float32_matmul_precision`` is left as the program has it: that setting exists for
    the whole process only.
    """
    with torch.inference_mode(), _full_precision(device):
        yield


@contextmanager
def full_precision_gradients(device: torch.device) -> Iterator[None]:
    """As :func:`full_precision_inference`, but with autograd, whatever the surrounding program has set."""
    with torch.inference_mode(False), torch.enable_grad(), _full_precision(device):
        yield


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(torch.autocast(device.type, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if device.type == "cuda":
            stack.enter_context(_Float32Convolutions())
        yield


class _Float32Convolutions(TorchFunctionMode):
    """Convolutions without TF32, which cuDNN may use unless it is told otherwise, call by call."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _CONVOLUTIONS.get(func, func)(*args, **(kwargs or {}))


def _conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    if isinstance(padding, str) or x.ndim != 4:
        return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)
    return _convolution(x, weight, bias, stride, padding, dilation, False, 0, groups)


def _conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    return _convolution(x, weight, bias, stride, padding, dilation, True, output_padding, groups)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Tensor:
    """The operator behind ``torch.conv2d`` and its transpose: it takes cuDNN's settings as arguments."""
    stride, padding, dilation, output_padding = map(_pair, (stride, padding, dilation, output_padding))
    cudnn: Any = torch.backends.cudnn
    benchmark, tf32 = False, False
    result: Tensor = torch._convolution(
        x, weight, bias, stride, padding, dilation, transposed, output_padding, groups,
        benchmark, cudnn.deterministic, cudnn.enabled, tf32,
    )  # fmt: skip
    return result


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


_CONVOLUTIONS = {torch.conv2d: _conv2d, torch.conv_transpose2d: _conv_transpose2d}
