"""Settings of the process that coding and training run faster with, and what makes CompressAI importable.

``import glic_pyg`` leaves the process as it is. The command line, benchmarks and studies call :func:`prepare`
first; a program that uses the library may do the same.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import os
import sys
import time
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from glic_pyg.deferred_imports import defer_imports

__all__ = [
    "LARGE_PAGES",
    "OPT_OUT",
    "SELDOM_USED",
    "cores_left",
    "declare_torchvision_operators",
    "give_back",
    "give_back_beyond",
    "keep_freed_memory",
    "prepare",
    "start_quickly",
    "wait_briefly",
]

OPT_OUT = "GLIC_KEEP_ALLOCATOR"
"""Environment variable: 1 leaves the allocator as it is."""
LARGE_PAGES = "THP_MEM_ALLOC_ENABLE"
"""Environment variable of torch: 1 asks the system for large pages."""
WAIT_POLICY = "OMP_WAIT_POLICY"
"""Environment variable of OpenMP: whether waiting threads sleep (passive) or spin (active)."""
SPIN_COUNT = "GOMP_SPINCOUNT"
"""Environment variable of GCC's OpenMP: how many times a thread looks before it sleeps."""

SELDOM_USED = (
    "compressai.datasets",
    "compressai.losses",
    "compressai.transforms",
    "scipy.stats",
    "torch._dynamo",
    "torch_geometric.datasets",
    "torch_geometric.transforms",
    "torchvision",
    "torchvision.transforms",
)
"""What CompressAI and PyG import as they start, and neither they nor we use while coding images."""

_SPINS = 1000
_OBJECTS_PER_COLLECTION = 50_000
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT_BLOCK = 40 * 2**20
_LARGEST_KEPT_TOTAL = 2**27
_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []  # torch forgets the schemas when their Library object is collected


def prepare() -> None:
    """Set up the process for coding and training; call it before torch is imported.

    Freed memory is kept for reuse (:func:`keep_freed_memory`), waiting threads soon
    sleep (:func:`wait_briefly`), and CompressAI can be imported beside a torchvision that does not fit the
    installed torch (:func:`declare_torchvision_operators`).
    """
    _begin_watching()
    wait_briefly()
    keep_freed_memory()
    declare_torchvision_operators()


def start_quickly() -> None:
    """Halve the time until a command runs; call it before torch is imported.

    Modules that CompressAI and PyG import at their start are imported when something asks for them
    (:data:`SELDOM_USED`), and Python looks for unreachable cycles every 50,000 objects instead of every 700:
    imports make hundreds of thousands, hardly any of which goes again. For programs that code images;
    CompressAI's registry of transforms then has none of torchvision's.
    """
    defer_imports(SELDOM_USED)
    gc.set_threshold(_OBJECTS_PER_COLLECTION, *gc.get_threshold()[1:])


def wait_briefly() -> None:
    """Let OpenMP's threads spin for some 10 us when they wait for each other, then sleep.

    Where other programs run, threads that spin for long take the core that the thread they wait for needs.
    Threads that sleep at once have to be woken for each of thousands of small operations: two of them code an
    image more slowly than one, and half as fast again if they spin this long. The environment can decide
    otherwise.
    """
    if WAIT_POLICY not in os.environ:
        os.environ[WAIT_POLICY] = "passive"
        os.environ.setdefault(SPIN_COUNT, str(_SPINS))


def _begin_watching() -> None:
    """Note how busy the machine has been, for :func:`cores_left`."""
    _watch[:] = [(time.monotonic(), _busy_seconds(), time.process_time())]


def cores_left() -> int | None:
    """Cores that other programs have left since :func:`prepare`, at least 1.

    Programs of lower priority (nice) count as idle: they give way. ``None`` where that is not known (only
    Linux tells), or too little time has passed.
    """
    busy = _busy_seconds()
    since, before, own_before = _watch[0] if _watch else (0.0, None, 0.0)
    if busy is None or before is None:
        return None
    elapsed = time.monotonic() - since
    if elapsed < _LEAST_WATCH:
        return None
    others = (busy - before - (time.process_time() - own_before)) / elapsed
    return max(1, round((os.cpu_count() or 1) - max(0.0, others)))


_LEAST_WATCH = 0.3
_watch: list[tuple[float, float | None, float]] = []


def _busy_seconds() -> float | None:
    """Seconds that all cores have worked for programs of usual priority since the machine started."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
        user, system, irq, softirq = (int(fields[i]) for i in (1, 3, 6, 7))
        return (user + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def keep_freed_memory() -> bool:
    """Let glibc reuse freed blocks up to 40 MiB, keep up to 128 MiB of them, and torch ask for large pages.

    A codec allocates and frees the same tens of megabytes hundreds of times. With glibc's defaults each of
    those blocks is unmapped and faulted in again, 4 KB by 4 KB: up to 40 % of the time of a transform.

    Both hold for the whole process; the second only if torch has not allocated anything yet, and unless the
    environment decides it. Does nothing on other C libraries, or if the environment sets
    ``GLIC_KEEP_ALLOCATOR=1``.

    Returns:
        Whether the setting was made.
    """
    if _declined():
        return False
    os.environ.setdefault(LARGE_PAGES, "1")
    libc = _glibc("mallopt")
    return libc is not None and bool(
        libc.mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BLOCK)
        and libc.mallopt(_TRIM_THRESHOLD, _LARGEST_KEPT_TOTAL)
    )


def give_back_beyond(kept: int) -> bool:
    """Give freed memory back to the system once glibc keeps more than ``kept`` bytes of it.

    Blocks of many sizes, as a training step frees them, leave gaps that the next step does not fit into:
    without this, what a process keeps grows from step to step.

    Returns:
        Whether anything was given back; False on other C libraries than glibc 2.33 and later ones.
    """
    libc = None if _declined() else _glibc("mallinfo2")
    if libc is None:
        return False
    libc.mallinfo2.restype = _Mallinfo2
    return libc.mallinfo2().fordblks > kept and give_back()


def give_back() -> bool:
    """Give all freed memory that glibc keeps back to the system; whether there was any."""
    libc = _glibc("malloc_trim")
    return libc is not None and bool(libc.malloc_trim(0))


class _Mallinfo2(ctypes.Structure):
    """What glibc's mallinfo2(3) returns, in bytes."""

    _fields_ = [
        *((f"other{i}", ctypes.c_size_t) for i in range(8)),
        ("fordblks", ctypes.c_size_t),  # free, and kept
        ("keepcost", ctypes.c_size_t),
    ]


def _declined() -> bool:
    return os.environ.get(OPT_OUT) == "1" or not sys.platform.startswith("linux")


def _glibc(function: str) -> ctypes.CDLL | None:
    """The C library, if it has a function that only glibc has."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return libc if hasattr(libc, function) else None


def declare_torchvision_operators() -> None:
    """Let ``import torchvision`` succeed where its compiled operators do not fit the installed torch.

    CompressAI and Lightning import torchvision, which describes its operators (``nms``, ``qnms``) to torch.
    A CPU-only torch beside a CUDA build of torchvision cannot load them, and the import fails although
    nothing here ever calls them; declaring the two schemas first is enough. Because torch takes seconds to
    import, this waits until torchvision is looked up. Packages that import CompressAI or Lightning call it.
    """
    if "torchvision" in sys.modules or any(isinstance(f, _BeforeTorchvision) for f in sys.meta_path):
        return
    sys.meta_path.insert(0, _BeforeTorchvision())


class _BeforeTorchvision(MetaPathFinder):
    """Declares the operators when torchvision is looked up for the first time, then steps aside."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            _declare_operators()
        return None


def _declare_operators() -> None:
    """Load torchvision's own operators, or declare their schemas where they do not load."""
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for library in Path(spec.origin).parent.glob("_C*"):
        with contextlib.suppress(OSError):
            torch.ops.load_library(str(library))
    if hasattr(torch.ops.torchvision, "nms"):
        return
    operators = torch.library.Library("torchvision", "DEF")
    for schema in _OPERATORS:
        operators.define(schema)
    _declared.append(operators)
