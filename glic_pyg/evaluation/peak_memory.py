"""Peak memory of a piece of work: of this process, or of the command-line tools that it ran."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType

from glic_pyg.runtime import give_back

__all__ = ["PeakMemory", "added_memory", "note_tool"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_tools: ContextVar[list[int] | None] = ContextVar("tools", default=None)


class PeakMemory:
    """Context manager that measures the peak memory of the work inside ``with``.

    If the work runs tools (see :func:`note_tool`), this is the peak of the largest of them. Otherwise it is
    the peak of this whole process, Python and torch included: what a user needs to have. Memory of
    accelerators is not counted.

    Attributes:
        bytes: the peak, after the block; ``None`` where the system does not report it (only Linux does).
    """

    bytes: int | None = None

    def __enter__(self) -> PeakMemory:
        self._token = _tools.set([])
        self._known = _reset_peak()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tools = _tools.get()
        _tools.reset(self._token)
        self.bytes = max(tools) if tools else _status("VmHWM") if self._known else None


def note_tool(peak: int) -> None:
    """Report to the surrounding :class:`PeakMemory`, if any, that a tool had a peak of ``peak`` bytes."""
    tools = _tools.get()
    if tools is not None:
        tools.append(peak)


def added_memory(work: Callable[[], object]) -> int:
    """Bytes by which the peak resident set of this process exceeds the one before the work.

    Freed memory is returned to the system first, so that it cannot hide what the work needs. Outside Linux
    the peak cannot be reset, and the work must be the largest so far in its process.
    """
    gc.collect()
    give_back()
    before = _status("VmRSS") if _reset_peak() else None
    before = _peak_since_start() if before is None else before
    work()
    peak = _status("VmHWM")
    return max(0, (_peak_since_start() if peak is None else peak) - before)


def _reset_peak() -> bool:
    """Set the kernel's high-water mark back to what is resident now, where that is possible."""
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return True


def _status(field: str) -> int | None:
    """A field of ``/proc/self/status`` in bytes; ``None`` where there is none."""
    try:
        lines = [line.split() for line in _STATUS.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return None
    return next((1024 * int(words[1]) for words in lines if words and words[0] == f"{field}:"), None)


def _peak_since_start() -> int:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
