"""The compiled library for this CPU, and calls of its functions shared between threads.

The library is compiled when the package is installed (see :mod:`glic_pyg.nn.native.compile`) and is optional:
without it, or with ``GLIC_NATIVE=0``, torch operators do its work.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from glic_pyg.nn.native.compile import LEVELS, library_path

__all__ = ["available", "pointer", "run"]

SHARES = 8  # parts a thread, so that a slow core does not hold up the others


def available() -> bool:
    """Whether a library for this CPU is there and wanted."""
    return os.environ.get("GLIC_NATIVE", "1") != "0" and _library() is not None


def pointer(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def run(
    name: str, arguments: Sequence[Any], count: int, sizes: Sequence[int] = (), *, grain: int = 1
) -> None:
    """Call a function of the library for parts of its ``count`` pieces of work.

    Args:
        name: of the function, which takes ``arguments``, first, last and ``sizes``.
        grain: pieces that are worth a call.

    Raises:
        MemoryError: the function could not have its working memory.
    """
    function = getattr(_library(), name)

    def work(part: tuple[int, int]) -> int:
        return int(function(*arguments, *(ctypes.c_int64(n) for n in (*part, *sizes))))

    threads = torch.get_num_threads()
    parts = max(1, min(count // grain, SHARES * threads if threads > 1 else 1))
    ranges = list(pairwise(count * i // parts for i in range(parts + 1)))
    share = map if parts == 1 else _pool(threads, os.getpid()).map
    if any([*share(work, ranges)]):
        raise MemoryError(f"no memory for {name}: close other programs or use fewer threads")


@lru_cache(maxsize=1)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads of this process; those of another one did not come along when it forked."""
    return ThreadPoolExecutor(threads)


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    """The library for this CPU's vector instructions, or the best there is below them."""
    capability = torch.backends.cpu.get_cpu_capability()
    levels = list(LEVELS)
    first = levels.index(capability) if capability in levels else levels.index("DEFAULT")
    for level in levels[first:]:
        path = library_path(level)
        if path.is_file():
            return ctypes.CDLL(str(path))
    return None
