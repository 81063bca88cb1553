"""Settings that may differ where a file is decoded, each as a context manager around the decoding.

Encode inside ``threads(1)``, so that two threads differ from it on every machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch

__all__ = [
    "SETTINGS",
    "Setting",
    "all_together",
    "inside_autocast",
    "medium_precision",
    "threads",
    "two_threads",
    "without_kernels",
    "without_onednn",
]

Setting = Callable[[], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Run with ``count`` CPU threads of torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def two_threads() -> contextlib.AbstractContextManager[None]:
    """Run with two CPU threads, unlike the encoder."""
    return threads(2)


@contextlib.contextmanager
def without_onednn() -> Iterator[None]:
    """PyTorch's own kernels instead of oneDNN's."""
    onednn: Any = torch.backends.mkldnn
    before, onednn.enabled = onednn.enabled, False
    try:
        yield
    finally:
        onednn.enabled = before


@contextlib.contextmanager
def without_kernels() -> Iterator[None]:
    """Graphs and layers by torch operators instead of the C library."""
    with mock.patch.dict("os.environ", GLIC_KERNELS="0"):
        yield


@contextlib.contextmanager
def medium_precision() -> Iterator[None]:
    """float32 products in bfloat16 where the hardware offers it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextlib.contextmanager
def inside_autocast() -> Iterator[None]:
    """Run inside bfloat16 autocast, as a caller may."""
    with torch.autocast("cpu", torch.bfloat16):
        yield


SETTINGS: dict[str, Setting] = {
    "2 threads": two_threads,
    "oneDNN off": without_onednn,
    "attention without C": without_kernels,
    "matmul precision medium": medium_precision,
    "inside autocast": inside_autocast,
}


@contextlib.contextmanager
def all_together() -> Iterator[None]:
    """All of :data:`SETTINGS` at once that leave float32 as it is.

    A lowered precision of products is obeyed where the hardware offers it: it moves edges of graphs, and with
    them the pixels of a model that is not trained.
    """
    with contextlib.ExitStack() as stack:
        for setting in SETTINGS.values():
            if setting is not medium_precision:
                stack.enter_context(setting())
        yield
