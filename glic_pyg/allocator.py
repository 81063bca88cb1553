"""Memory that is kept and lies in large pages, instead of being given back and faulted in again.

A codec allocates and frees the same tens of megabytes hundreds of times. With glibc's defaults each of those
blocks is unmapped and faulted in again, 4 KB by 4 KB, which costs up to 40 % of the time of a transform.
"""

from __future__ import annotations

import ctypes
import os
import sys

OPT_OUT = "GLIC_KEEP_ALLOCATOR"
LARGE_PAGES = "THP_MEM_ALLOC_ENABLE"

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT_BLOCK = 40 * 2**20
_LARGEST_KEPT_TOTAL = 2**27


class _Mallinfo2(ctypes.Structure):
    """What glibc tells of its heap, in bytes; see mallinfo2(3)."""

    _fields_ = [
        *((f"other{i}", ctypes.c_size_t) for i in range(8)),
        ("fordblks", ctypes.c_size_t),  # free, and kept
        ("keepcost", ctypes.c_size_t),
    ]


def keep_freed_memory() -> bool:
    """Let glibc reuse freed blocks up to 40 MiB, keep up to 128 MiB of them, and torch ask for large pages.

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


def _declined() -> bool:
    return os.environ.get(OPT_OUT) == "1" or not sys.platform.startswith("linux")


def _glibc(function: str) -> ctypes.CDLL | None:
    """The C library, if it has a function that only glibc has."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return libc if hasattr(libc, function) else None
