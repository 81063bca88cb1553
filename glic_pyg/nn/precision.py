"""Faster products in bfloat16, on the thread that asks for them and where nothing of the image is lost.

Autocast also keeps what is between the products in bfloat16: residual sums, normalizations, attention.
Rounding there costs quality, differs from processor to processor, and shuts out the float32 kernels of
:mod:`glic_pyg.kernels`. Here a product takes bfloat16 factors and gives a float32 result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["bfloat16_products", "bfloat16_units", "full_precision", "multiplies_bfloat16"]

_IMAGE_CHANNELS = (3, 12)
"""Channels of an image, and of one before a pixel shuffle by 2."""

_thread = threading.local()


def bfloat16_products(device: str = "cpu") -> AbstractContextManager[Any]:
    """Round the factors of linear maps and convolutions of float32 tensors to bfloat16, without gradient.

    Biases are added in float32. Products that read or make the image itself stay in float32: 8 bits of
    precision are half a grey level. So do products of two computed tensors (attention, similarities of
    nodes), grouped convolutions and everything inside :func:`full_precision`.

    Where nothing in the machine multiplies bfloat16 numbers, the rounded factors are multiplied in float32:
    the quality is the same everywhere, and a processor without them loses no time.

    Args:
        device: type of the device that computes, e.g. ``"cpu"``.
    """
    return _BFloat16Products(multiplies_bfloat16(device))


def multiplies_bfloat16(device: str) -> bool:
    """Whether a type of device has instructions for products of bfloat16 numbers."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(bfloat16_units()) if device == "cpu" else True


def bfloat16_units() -> list[str]:
    """What in this processor multiplies bfloat16 numbers, by name."""
    probes = {"AMX": "_is_amx_tile_supported", "AVX-512 BF16": "_is_avx512_bf16_supported"}
    return [name for name, probe in probes.items() if getattr(torch.cpu, probe, lambda: False)()]


@contextmanager
def full_precision(device: str) -> Iterator[None]:
    """Neither autocast nor :func:`bfloat16_products` on this thread.

    Args:
        device: type of the device, e.g. ``"cpu"``.
    """
    before = getattr(_thread, "full", False)
    _thread.full = True
    try:
        with torch.autocast(device, enabled=False):
            yield
    finally:
        _thread.full = before


class _BFloat16Products(TorchFunctionMode):
    """See :func:`bfloat16_products`.

    Args:
        native: multiply in bfloat16; else in float32, after rounding.
    """

    def __init__(self, native: bool) -> None:
        super().__init__()
        self._native = native
        self._products: dict[Any, Callable[..., Tensor]] = {
            F.linear: self._linear,
            torch.mm: self._mm,
            torch.addmm: self._addmm,
            torch.conv2d: self._conv2d,
            torch.conv_transpose2d: self._conv_transpose2d,
        }

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        product = None if getattr(_thread, "full", False) else self._products.get(func)
        return (product or func)(*args, **(kwargs or {}))

    def _rounded(self, factor: Tensor) -> Tensor:
        low = factor.bfloat16()
        return low if self._native else low.float()

    def _widened(self, product: Tensor) -> Tensor:
        return product.float()

    def _linear(self, rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if _stays(rows, weight.shape[1], weight.shape[0]):
            return F.linear(rows, weight, bias)
        return _biased(self._widened(F.linear(self._rounded(rows), self._rounded(weight))), bias)

    def _mm(self, rows: Tensor, weight: Tensor, *, out: Tensor | None = None) -> Tensor:
        if _stays(rows, *weight.shape):
            return torch.mm(rows, weight, out=out)
        product = self._widened(torch.mm(self._rounded(rows), self._rounded(weight)))
        return product if out is None else out.copy_(product)

    def _addmm(self, bias: Tensor, rows: Tensor, weight: Tensor, *, out: Tensor | None = None) -> Tensor:
        if _stays(rows, *weight.shape):
            return torch.addmm(bias, rows, weight, out=out)
        return self._mm(rows, weight, out=out).add_(bias)

    def _conv2d(self, x: Tensor, weight: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        channels = weight.shape[1], weight.shape[0]
        return self._convolved(torch.conv2d, channels, x, weight, *args, **kwargs)

    def _conv_transpose2d(self, x: Tensor, weight: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        channels = weight.shape[0], weight.shape[1]
        return self._convolved(torch.conv_transpose2d, channels, x, weight, *args, **kwargs)

    def _convolved(
        self,
        convolution: Callable[..., Tensor],
        channels: tuple[int, int],
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        grouped = x.shape[-3] != channels[0]
        if grouped or _stays(x, *channels):
            return convolution(x, weight, bias, *args, **kwargs)
        out = convolution(self._rounded(x), self._rounded(weight), None, *args, **kwargs)
        return _biased(self._widened(out), None if bias is None else bias[:, None, None])


def _stays(x: Tensor, channels_in: int, channels_out: int) -> bool:
    """Whether a product is left in the precision of its factors."""
    return x.dtype != torch.float32 or channels_in == 3 or channels_out in _IMAGE_CHANNELS


def _biased(out: Tensor, bias: Tensor | None) -> Tensor:
    return out if bias is None else out.add_(bias)
