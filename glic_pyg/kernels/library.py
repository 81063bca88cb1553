"""The compiled library for this CPU: a table of its functions, and checked calls shared between threads.

The library is compiled when the package is installed (see :mod:`glic_pyg.kernels.compile`) and is
optional: without it, or with ``GLIC_KERNELS=0``, torch operators do its work.

A new kernel needs its C source, an entry in :data:`KERNELS` and an operator, see
:mod:`glic_pyg.kernels.operators`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glic_pyg.kernels.compile import LEVELS, library_path

__all__ = ["KERNELS", "LIMITS", "Kernel", "available", "functions", "load", "run", "usable_libraries"]

SHARES = 8  # parts a thread, so that a slow core does not hold up the others
GROUP = 16  # channels that depthwise_backward.c sums up at once
MOST = 2**31
LIMITS = {
    "side": range(3, 6, 2),
    "channels": range(GROUP, MOST),
    "slots": range(64, MOST, 64),
    "candidates": range(8, MOST, 8),
    "two": range(2, 3),
    "features": range(1, 129),
    "entries": range(1, 2**15),
}
"""What some sizes are limited to, in every kernel that has them."""
_DTYPES = {
    "f32": torch.float32,
    "f64": torch.float64,
    "i16": torch.int16,
    "i64": torch.int64,
    "bool": torch.bool,
}


@dataclass(frozen=True)
class Kernel:
    """One C function, which takes arrays, the first and the last piece of its work, and sizes.

    Attributes:
        arrays: ``name: dtype sizes`` in order; a name that ends in ``?`` may be None, a single size is the
            number of elements of a tensor of any shape. A size has one value in all arrays of a call.
        sizes: those that the function takes as int64.
        pieces: how many pieces of work there are; each of them can go to another thread.
    """

    arrays: str
    sizes: str
    pieces: Callable[[Mapping[str, int]], int]

    @cached_property
    def parameters(self) -> list[tuple[str, bool, torch.dtype, list[str]]]:
        """Name, whether it may be missing, dtype and sizes of each array."""
        parsed = []
        for text in self.arrays.split(","):
            name, (dtype, *sizes) = text.split(":")[0].strip(), text.split(":")[1].split()
            parsed.append((name.rstrip("?"), name.endswith("?"), _DTYPES[dtype], sizes))
        return parsed

    @cached_property
    def size_names(self) -> list[str]:
        return self.sizes.split()

    @cached_property
    def limits(self) -> list[tuple[str, range]]:
        """Those of :data:`LIMITS` that concern its sizes."""
        sizes = {size for *_, names in self.parameters for size in names}
        return [(size, allowed) for size, allowed in LIMITS.items() if size in sizes]

    def bind(self, arrays: tuple[Tensor | None, ...], known: dict[str, int]) -> dict[str, int]:
        """The sizes of a call; ``known`` are those that the arrays do not tell.

        Raises:
            ValueError: an array is of another dtype, size or device, or not contiguous.
        """
        for (name, optional, dtype, sizes), array in zip(self.parameters, arrays, strict=True):
            if array is None and optional:
                continue
            if array is None or array.dtype != dtype or not array.is_cpu or not array.is_contiguous():
                raise ValueError(
                    f"{name} must be a contiguous {dtype} tensor on the CPU, not {_described(array)}"
                )
            shape = (array.numel(),) if len(sizes) == 1 else array.shape
            if len(shape) != len(sizes):
                raise ValueError(f"{name} must have the sizes {sizes}, not {_described(array)}")
            for size, length in zip(sizes, shape, strict=True):
                if known.setdefault(size, length) != length:
                    raise ValueError(f"{name}, {_described(array)}, must have {size} = {known[size]}")
        for size, allowed in self.limits:
            if known[size] not in allowed:
                raise ValueError(f"a kernel in C cannot have {size} = {known[size]}: see LIMITS")
        return known


_ATTENTION = (
    "q: f32 images nodes heads width, kv: f32 images nodes two heads width, scale: f32 heads, "
    "bias: f32 heads candidates slots, ids: i64 images cells slots, sources: i64 images cells candidates, "
    "edges: i16 images cells slots candidates, order: i64 images cells, "
)
_EDGES = (
    "q: f32 nodes heads features, k: f32 sources heads features, v: f32 sources heads features, "
    "table: f32 heads entries, start: i64 nodes, stop: i64 nodes, source: i64 edges, entry?: i16 edges, "
    "out: f32 nodes heads features, lse: f32 heads nodes"
)
_CELLS = "images nodes cells slots candidates heads width"
_MAPS = "u: f32 images rows width channels, v?: f32 images rows width channels, "

KERNELS = {
    "gate": Kernel("u: f32 n, v: f32 n, out: f32 n", "", lambda s: s["n"]),
    "gate_backward": Kernel(
        "u: f32 n, v: f32 n, grad: f32 n, grad_u: f32 n, grad_v: f32 n, out: f32 n", "", lambda s: s["n"]
    ),
    "depthwise": Kernel(
        _MAPS + "weight_u: f32 side side channels, weight_v?: f32 side side channels, bias?: f32 channels, "
        "out: f32 images height width channels",
        "rows above height width channels side",
        lambda s: s["images"] * s["height"],
    ),
    "depthwise_backward": Kernel(
        "x: f32 images rows width channels, grad: f32 images height width channels, "
        "grad_weight: f32 side side channels, grad_bias: f32 channels",
        "images rows padding height width channels side",
        lambda s: -(-s["channels"] // GROUP),
    ),
    "edge_attention": Kernel(
        _EDGES, "nodes sources entries heads features", lambda s: s["heads"] * s["nodes"]
    ),
    "edge_attention_backward": Kernel(
        _EDGES + ", grad_out: f32 nodes heads features, grad_q: f32 nodes heads features, "
        "grad_k: f32 sources heads features, grad_v: f32 sources heads features, "
        "grad_table: f64 heads entries",
        "nodes sources entries heads features",
        lambda s: s["heads"],
    ),
    "keep_top": Kernel(
        "similarity: f32 groups rows places, degrees: f32 groups rows, valid?: bool groups places, "
        "mask: bool groups rows places",
        "rows places",
        lambda s: s["groups"] * s["rows"],
    ),
    "bisect": Kernel(
        "similarity: f32 groups rows places, degrees: f32 groups rows, start: f32 groups rows, "
        "low: f32 groups rows, valid?: bool groups places, mask: bool groups rows places",
        "rows places steps",
        lambda s: s["groups"] * s["rows"],
    ),
    "scale_degrees": Kernel(
        "values: f64 rows places, lower: i64 rows places, upper: i64 rows places, high: f64 rows, "
        "budget: i64 rows, out: i64 rows places",
        "places steps",
        lambda s: s["rows"],
    ),
    "window_edges": Kernel(
        "mask: bool cells slots candidates, words: i16 cells slots candidates",
        "slots candidates",
        lambda s: s["cells"],
    ),
    "window_attention": Kernel(
        _ATTENTION + "out: f32 images nodes heads width", _CELLS, lambda s: s["images"] * s["cells"]
    ),
    "window_attention_backward": Kernel(
        _ATTENTION + "grad_out: f32 images nodes heads width, grad_q: f32 images nodes heads width, "
        "grad_kv: f32 images nodes two heads width, grad_scale: f64 images heads, "
        "grad_bias: f32 images heads candidates slots",
        _CELLS,
        lambda s: s["images"] * s["heads"],
    ),
}
"""All functions of the library."""


def available() -> bool:
    """Whether a library for this CPU is there and wanted."""
    if torch.compiler.is_compiling():
        from glic_pyg.compiling import settled

        return settled(_usable)
    return _usable()


def _usable() -> bool:
    return os.environ.get("GLIC_KERNELS", "1") != "0" and functions() is not None


def run(name: str, *arrays: Tensor | None, grain: int = 1, **known: int) -> None:
    """Call a function of the library for parts of its work, after a look at what it is given.

    Args:
        name: of the function in :data:`KERNELS`.
        arrays: what it reads and writes, see :attr:`Kernel.arrays`.
        grain: pieces of work that are worth a call.
        known: sizes that do not follow from the arrays.

    Raises:
        ValueError: the arrays are not what the function expects.
        MemoryError: the function could not have its working memory.
    """
    kernel, library = KERNELS[name], functions()
    sizes = kernel.bind(arrays, known)
    count = kernel.pieces(sizes)
    if not count:
        return
    if library is None:
        raise RuntimeError(f"there is no {name} in C: the library is not compiled")
    function, after = library[name], [sizes[size] for size in kernel.size_names]

    def call(part: tuple[int, int]) -> int:  # holds the arrays, also where an interrupt ends the caller early
        return int(function(*(None if a is None else a.data_ptr() for a in arrays), *part, *after))

    threads = torch.get_num_threads()
    parts = max(1, min(count // grain, SHARES * threads if threads > 1 else 1))
    ranges = pairwise(count * i // parts for i in range(parts + 1))
    if _shared(call, [*ranges], threads):
        raise MemoryError(f"no memory for {name}: close other programs or use fewer threads")


def _shared(call: Callable[[tuple[int, int]], int], ranges: list[tuple[int, int]], threads: int) -> bool:
    """Call for each range, in this thread and in others that have the time; whether any call failed.

    Torch's own threads may spin for a while where this leaves a core for another one, so the ranges are not
    dealt out: each thread takes the next one that is left.
    """
    left = iter(ranges)

    def work() -> bool:
        return any([call(part) for part in left])

    others = [_pool(threads, os.getpid()).submit(work) for _ in range(min(threads, len(ranges)) - 1)]
    failed = work()
    return any([failed, *(other.result() for other in others if not other.cancel())])


def load(path: Path) -> dict[str, Any]:
    """The functions of a compiled library by name."""
    library, found = ctypes.CDLL(str(path)), {}
    for name, kernel in KERNELS.items():
        function = getattr(library, name)
        numbers = [ctypes.c_int64] * (2 + len(kernel.size_names))
        function.argtypes = [ctypes.c_void_p] * len(kernel.parameters) + numbers
        found[name] = function
    return found


def usable_libraries() -> list[Path]:
    """The compiled libraries that this CPU can run, that for the most of its vector instructions first."""
    capability, levels = torch.backends.cpu.get_cpu_capability(), list(LEVELS)
    first = levels.index(capability) if capability in levels else levels.index("DEFAULT")
    return [path for path in map(library_path, levels[first:]) if path.is_file()]


@lru_cache(maxsize=1)
def functions() -> dict[str, Any] | None:
    """Those of the best library for this CPU, if there is one."""
    found = usable_libraries()
    return load(found[0]) if found else None


@lru_cache(maxsize=1)
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads of this process beside the caller's; those of another one did not come along when it forked."""
    return ThreadPoolExecutor(threads - 1)


def _described(array: Tensor | None) -> str:
    return "None" if array is None else f"{str(array.dtype)[6:]} {tuple(array.shape)} on {array.device.type}"
