"""Standard streams: messages, batches in which a file may fail, the beginning and end of the program."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from glic_pyg.errors import GlicError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = [
    "PIPE",
    "CommandError",
    "FileBatch",
    "naming",
    "print_traceback",
    "run_program",
    "say",
    "sentence_of",
    "shown",
]

TRACEBACK = "GLIC_TRACEBACK"
"""Environment variable: 1 prints where an error came from, beside the sentence about it."""

PIPE = "-"
"""Stands for standard input or output among paths."""

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "bad alloc", "bad_alloc")
_LONGEST_REASON = 300
_lost_messages = False


class CommandError(GlicError):
    """Something that would fail for every file, so that a batch ends."""


def shown(path: object) -> str:
    """A file name for a message: on one line, control characters and undecodable bytes escaped."""
    text = "(pipe)" if path == PIPE else str(path)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def sentence_of(error: BaseException) -> str:
    """One line about any error, for a user."""
    text = shown(" ".join(str(error).split()))
    if isinstance(error, GlicError):
        return text
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f' ({shown(_text(error.filename))})' if error.filename else ''}."
    if isinstance(error, MemoryError) or any(hint in text.lower() for hint in _OUT_OF_MEMORY):
        return "There is not enough memory for it."
    reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if len(reason) > _LONGEST_REASON:
        reason = f"{reason[:_LONGEST_REASON]} ..."
    return f"Unexpected error ({reason}); {TRACEBACK}=1 prints where."


def say(text: str, style: str | None = None) -> None:
    """Print a message to standard error; one that cannot be printed changes nothing but the exit code."""
    global _lost_messages
    if sys.stderr is None:
        return
    try:
        if style is not None and sys.stderr.isatty():
            _terminal().print(text, style=style)
        else:
            print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _lost_messages = True


def _terminal() -> Console:
    """Standard error as a terminal; text is printed as it is."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


class _Output(io.FileIO):
    """Standard output; what keeps it from being written is said as such."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = "it is closed." if error.errno == errno.EBADF else sentence_of(error)
            raise CommandError(f"Standard output cannot be written: {reason}") from None


@contextmanager
def naming(path: object) -> Iterator[None]:
    """Put a file's name before whatever is said about it.

    Raises:
        GlicError: in place of every error.
    """
    try:
        yield
    except Exception as error:
        raise GlicError(f"{shown(path)}: {sentence_of(error)}") from error


class FileBatch:
    """Several files one after the other: one that fails is named and the next one runs.

    Args:
        command: for messages, e.g. ``"encode"``.
        count: how many files there are; several on a terminal get a progress bar.
        summary: say at the end how many of several files failed.

    Attributes:
        failed: how many have failed so far.
    """

    def __init__(self, command: str, count: int, *, summary: bool = True) -> None:
        self.command, self.count, self.summary = command, count, summary
        self.failed = 0
        self._bar: Progress | None = None
        self._files: TaskID | None = None
        self._steps: TaskID | None = None

    def __enter__(self) -> FileBatch:
        if self.count > 1 and (bar := self._shown_bar()):
            self._files = bar.add_task("", total=self.count)
        return self

    def _shown_bar(self) -> Progress | None:
        """The progress bar, which appears when it is first asked for, and on a terminal only."""
        if self._bar is None and sys.stderr is not None and sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            name = TextColumn("{task.description}", markup=False)
            columns = (name, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=_terminal(), transient=True)
            self._bar.start()
        return self._bar

    def steps(self, done: int, total: int, text: str) -> None:
        """Show how far the work on the present file is, in a bar of its own."""
        if bar := self._shown_bar():
            if self._steps is None:
                self._steps = bar.add_task("", total=total)
            bar.update(self._steps, completed=done, total=total, description=text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self.summary and error is None and self.failed and self.count > 1:
            say(f"glic {self.command}: {self.failed} of {self.count} files failed.")

    @contextmanager
    def file(self, name: str) -> Iterator[None]:
        """Work on one file; whatever that raises becomes a sentence with its name.

        Raises:
            CommandError, BrokenPipeError: it concerns all files, not this one.
        """
        if self._bar is not None and self._files is not None:
            self._bar.update(self._files, description=os.path.basename(shown(name)))
        try:
            yield
        except (CommandError, BrokenPipeError):
            raise
        except Exception as error:
            self.failed += 1
            self.say(f"glic {self.command}: {shown(name)}: {sentence_of(error)}")
            print_traceback()
        finally:
            if self._bar is not None and self._steps is not None:
                self._bar.remove_task(self._steps)
                self._steps = None
            if self._bar is not None and self._files is not None:
                self._bar.advance(self._files)

    def say(self, text: str, style: str | None = None) -> None:
        """Print a message above the progress bar."""
        if self._bar is None:
            say(text, style)
        else:
            with suppress(OSError):
                self._bar.console.print(text, style=style)


def print_traceback() -> None:
    """Print where the present exception came from, if the environment asks for it."""
    if os.environ.get(TRACEBACK) == "1":
        traceback.print_exc()


def run_program(command: Callable[[], int], *, trains: bool = False) -> int:
    """Run a command as this process's only purpose.

    Closed standard streams are replaced, characters that a stream cannot encode are escaped, warnings meant
    for developers are hidden, and SIGTERM and SIGHUP end the program as an exception does, so that nothing
    unfinished stays. Output that cannot be written is an error, said in a sentence; a reader that closed its
    pipe needs none.

    Args:
        command: returns an exit code.
        trains: it handles SIGTERM itself, after the step it is in, and its libraries' warnings are for users.

    Returns:
        The exit code.
    """
    _replace_closed_streams()
    sys.stdout = _guarded(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:
        if trains:
            warnings.showwarning = _print_warning
        else:
            warnings.simplefilter("ignore")
    logging.raiseExceptions = False  # a log line that cannot be printed is no traceback
    if hasattr(signal, "SIGHUP"):
        _handle(signal.SIGHUP, _terminate if trains else _end)
    if not trains:
        _handle(signal.SIGTERM, _end)
    try:
        code = command()
    except SystemExit as end:
        code = _exit_code(end)
    except BrokenPipeError:
        code = 1
    except CommandError as error:
        say(f"glic: {error}")
        code = 1
    return max(_flushed(code), int(_lost_messages))


def _handle(number: signal.Signals, handler: Callable[[int, FrameType | None], None]) -> None:
    """Handle a signal, unless whoever started the program decided otherwise, as ``nohup`` does."""
    if signal.getsignal(number) is signal.SIG_DFL:
        signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGTERM)


def _print_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """A warning as a line for users: without the line of source code that it comes from."""
    if issubclass(category, UserWarning):
        say(f"glic: {' '.join(str(message).split())}")


def _exit_code(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    say(str(end.code))
    return 1


def _flushed(code: int) -> int:
    """Write out what is buffered; the exit code is 1 at least if that fails."""
    try:
        sys.stdout.flush()
    except (CommandError, OSError, ValueError) as error:
        if code == 0 and isinstance(error, CommandError):  # else there was a sentence already
            say(f"glic: {error}")
        with suppress(OSError, ValueError):  # the interpreter flushes once more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or 1
    return code


def _guarded(stream: TextIO) -> TextIO:
    """Standard output with :class:`_Output` at its bottom; it escapes what its encoding lacks."""
    try:
        raw = _Output(stream.fileno(), "w", closefd=False)
    except (OSError, ValueError):  # no file
        return stream
    at_once = bool(stream.line_buffering or getattr(stream, "write_through", False))
    buffered = io.BufferedWriter(raw)
    return io.TextIOWrapper(buffered, stream.encoding, "backslashreplace", line_buffering=at_once)


def _replace_closed_streams() -> None:
    """Occupy closed descriptors, so that no file gets their numbers; output to standard output then fails."""
    for name, flags in (("stdin", os.O_RDONLY), ("stdout", os.O_RDONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)  # the lowest number that is free
            if name != "stdin":  # whoever reads says that it is closed
                setattr(sys, name, os.fdopen(descriptor, "w", closefd=False))


def _text(filename: Any) -> str:
    return os.fsdecode(filename) if isinstance(filename, bytes | str) else str(filename)
