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
    if os.environ.get(OPT_OUT) == "1" or not sys.platform.startswith("linux"):
        return False
    os.environ.setdefault(LARGE_PAGES, "1")
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(
        mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BLOCK) and mallopt(_TRIM_THRESHOLD, _LARGEST_KEPT_TOTAL)
    )


def give_back_beyond(kept: int) -> bool:
    """Give freed memory back to the system once glibc keeps more than ``kept`` bytes of it.

    Blocks of many sizes, as a training step frees them, leave gaps that the next step does not fit into:
    without this, what a process keeps grows from step to step.

    Returns:
        Whether anything was given back; False on other C libraries than glibc 2.33 and later ones.
    """
    if os.environ.get(OPT_OUT) == "1" or not sys.platform.startswith("linux"):
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallinfo2.restype = _Mallinfo2
        return bool(libc.mallinfo2().fordblks > kept and libc.malloc_trim(0))
    except (OSError, AttributeError):
        return False
