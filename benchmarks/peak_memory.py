"""Resident memory that some work adds at its peak."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from glic_pyg.allocator import give_back

__all__ = ["added_memory"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def added_memory(work: Callable[[], object]) -> int:
    """Bytes by which the resident set at its peak exceeds the one before.

    Freed memory is handed back to the system first, so that it cannot hide what the work needs. On Linux
    the kernel's high-water mark is reset before; elsewhere it cannot be, and the work must be the largest so
    far in its process.
    """
    gc.collect()
    give_back()
    before = _reset_peak()
    work()
    return max(0, _peak() - before)


def _reset_peak() -> int:
    """Forget earlier peaks if possible; return what is resident, or else the peak so far."""
    try:
        _RESET.write_text("5")
        return _status("VmRSS")
    except OSError:
        return _peak()


def _peak() -> int:
    if _STATUS.is_file():
        return _status("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{_STATUS} has no {field}")
