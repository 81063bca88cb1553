"""How far a long computation is, told from deep inside it to whoever asked.

Work comes in phases, and these have shares: what runs inside ``with share(0.3)`` is three tenths of what it
is a part of, and loops over ``steps(...)`` fill their share evenly. Nothing happens unless a caller on the
same thread asked with :func:`reporting`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

import torch

__all__ = ["Report", "phase", "reporting", "share", "steps", "within"]

R = TypeVar("R")
T = TypeVar("T")
Report: TypeAlias = Callable[[float, str], None]
"""Takes how much of a phase is done, from 0 to 1, and the phase's name."""


@dataclass
class _Span:
    """A part of the work.

    Attributes:
        report: is told how much of the whole is done.
        at, end: where this part has come, and where it ends; the whole ends at 1.
        length: of this part.
    """

    report: Callable[[float], None]
    at: float
    end: float
    length: float


_listener: ContextVar[Report | None] = ContextVar("listener", default=None)
_present: ContextVar[_Span | None] = ContextVar("progress", default=None)


@contextmanager
def reporting(report: Report | None) -> Iterator[None]:
    """Call ``report`` whenever another hundredth of a :func:`phase` inside is done; ``None`` asks nothing."""
    before = _listener.get()
    _listener.set(report)
    try:
        yield
    finally:
        _listener.set(before)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """A piece of work of a kind, which is told from 0 to 1."""
    report, before = _listener.get(), _present.get()
    if report is None:
        yield
        return
    hundredths = -1

    def in_hundredths(done: float) -> None:
        nonlocal hundredths
        if int(100 * done + 1e-6) > hundredths:
            hundredths = int(100 * done + 1e-6)
            report(done, name)

    span = _Span(in_hundredths, 0.0, 1.0, 1.0)
    _present.set(span)
    try:
        in_hundredths(0.0)
        yield
        in_hundredths(1.0)
    finally:
        _present.set(before)


class share:
    """Context manager: the work inside is so large a share of the part around it, and comes next there."""

    _around: _Span | None = None

    def __init__(self, part: float) -> None:
        self._part = part

    def __enter__(self) -> None:
        self._around = _present.get()
        if (span := self._around) is not None:
            length = self._part * span.length
            _present.set(_Span(span.report, span.at, min(span.at + length, span.end), length))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if (span := self._around) is not None:
            inner = _present.get()
            _present.set(span)
            if kind is None and inner is not None:
                span.at = inner.end
                span.report(span.at)


def within(part: float, work: Callable[..., R], *arguments: Any) -> R:
    """``work(*arguments)`` as a :class:`share`; what is compiled has none."""
    if torch.compiler.is_compiling():
        return work(*arguments)
    with share(part):
        return work(*arguments)


def steps(parts: Sequence[T]) -> Iterator[T]:
    """Go through equally large parts of the work."""
    for part in parts:
        with share(1 / len(parts)):
            yield part
