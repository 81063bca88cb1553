"""Window attention in C: the twin of :func:`glic_pyg.nn.window_attention` for inference on CPUs.

The library is compiled when the package is installed (see :mod:`glic_pyg.nn.native.compile`) and is optional:
without it, or with ``GLIC_NATIVE=0``, the path of torch operators does its work.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from glic_pyg.graph import WindowGraph
from glic_pyg.nn.native.compile import LEVELS, library_path

__all__ = ["available", "can_attend", "window_attention"]

QUERIES_AT_ONCE = 4
CANDIDATES_AT_ONCE = 64
MOST_WIDTH = 256
SHARES = 8  # parts a thread, so that a slow core does not hold up the others


def available() -> bool:
    """Whether a library for this CPU is there and wanted."""
    return os.environ.get("GLIC_NATIVE", "1") != "0" and _library() is not None


def can_attend(q: Tensor, graph: WindowGraph, heads: int) -> bool:
    """Whether :func:`window_attention` can do this: on a CPU, not in float64, cells of a usual size."""
    slots, candidates = graph.mask.shape[2:]
    return (
        q.device.type == "cpu"
        and q.dtype in (torch.float32, torch.bfloat16)
        and slots % QUERIES_AT_ONCE == 0
        and candidates % CANDIDATES_AT_ONCE == 0
        and q.shape[-1] // heads <= MOST_WIDTH
        and available()
    )


def window_attention(q: Tensor, kv: Tensor, scale: Tensor, bias: Tensor, graph: WindowGraph) -> Tensor:
    """As :func:`glic_pyg.nn.window_attention`, computed in float32, without gradient.

    Every cell is computed alone: the result does not depend on the number of threads.

    Raises:
        MemoryError: a thread's working memory (some 200 KB) could not be had.
    """
    library = _library()
    assert library is not None
    dtype = q.dtype
    q, kv, scale, bias = (t.float().contiguous() for t in (q, kv, scale, bias))
    nodes, sources, mask = (t.contiguous() for t in graph.attention_rows)
    order = sources[:, 0].argsort(stable=True)  # cells that share their candidates become neighbours
    out = torch.empty_like(q)
    arrays = [ctypes.c_void_p(t.data_ptr()) for t in (q, kv, scale, bias, nodes, sources, mask, order, out)]
    heads, rows = len(scale), q.shape[0] * q.shape[1]
    sizes = [rows, *mask.shape[1:], heads, q.shape[-1] // heads]

    def attend(part: tuple[int, int]) -> int:
        return int(library.window_attention(*arrays, *(ctypes.c_int64(n) for n in (*part, *sizes))))

    if any(_in_threads(attend, len(order))):
        raise MemoryError("no memory for attention: close other programs or use fewer threads")
    return out.view(q.shape).to(dtype)


def _in_threads(work: Callable[[tuple[int, int]], int], count: int) -> list[int]:
    """``work((first, last))`` over parts of ``range(count)``, shared by as many threads as torch uses."""
    threads = torch.get_num_threads()
    parts = min(count, SHARES * threads if threads > 1 else 1)
    bounds = [count * i // parts for i in range(parts + 1)]
    ranges = list(pairwise(bounds))
    if threads == 1:
        return [work(part) for part in ranges]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, ranges))


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
