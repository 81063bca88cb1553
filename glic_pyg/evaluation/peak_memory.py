"""The most memory that a piece of work held."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from types import TracebackType

__all__ = ["PeakMemory", "note_tool"]

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_tools: ContextVar[list[int] | None] = ContextVar("tools", default=None)


class PeakMemory:
    """Measures what runs inside ``with``.

    Work that starts tools (see :func:`note_tool`) is charged what the largest of them held; other work what
    this whole process held, Python and torch included, which is what a user of the work needs to have. Memory
    of accelerators is not in it.

    Attributes:
        bytes: after the block: the peak, or ``None`` where the system does not tell (it is Linux that does).
    """

    bytes: int | None = None

    def __enter__(self) -> PeakMemory:
        self._token = _tools.set([])
        try:
            _RESET.write_text("5")  # sets VmHWM back to what is held now
            self._knows = True
        except OSError:
            self._knows = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tools = _tools.get()
        _tools.reset(self._token)
        self.bytes = max(tools) if tools else _high_water_mark() if self._knows else None


def note_tool(peak: int) -> None:
    """Tell the measurement around, if there is one, that a tool held ``peak`` bytes."""
    tools = _tools.get()
    if tools is not None:
        tools.append(peak)


def _high_water_mark() -> int | None:
    lines = (line.split() for line in _STATUS.read_text(encoding="utf-8").splitlines())
    return next((1024 * int(words[1]) for words in lines if words[0] == "VmHWM:"), None)
