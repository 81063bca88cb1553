"""The interface of all baselines, and how the command-line tools among them are run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Protocol

from glic_pyg.errors import GlicError
from glic_pyg.evaluation.peak_memory import note_tool
from glic_pyg.types import Pixels

__all__ = ["Baseline", "ToolFailed", "run_tool"]


class Baseline(Protocol):
    """A codec that turns an image into the bytes of a file and back, at one of many settings.

    Attributes:
        name: for options and file names, lower case.
        title: for tables and figures.
        suffix: of its files.
        word: what a setting is called, ``"quality"`` or ``"QP"``.
        settings: every setting, in ascending order of rate.
        sweep: the few of them that make a rate-distortion curve.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def suffix(self) -> str: ...
    @property
    def word(self) -> str: ...
    @property
    def settings(self) -> Sequence[int]: ...
    @property
    def sweep(self) -> Sequence[int]: ...

    def missing(self) -> str | None:
        """What to install before this codec can be used; ``None`` if nothing."""

    def version(self) -> str:
        """The program and its version, as installed here."""

    def invocation(self, setting: int) -> str:
        """How the program is called at a setting. With its version and the pixels this decides the bytes."""

    def encode(self, pixels: Pixels, setting: int) -> bytes:
        """Encode uint8 (H, W, 3) RGB or (H, W) grey pixels, without metadata."""

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Pixels:
        """Decode a file that :meth:`encode` made of an image of this shape, uint8."""


class ToolFailed(GlicError):
    """A command-line tool ended with an error; the message holds the last line of its output."""


def run_tool(command: Sequence[str]) -> None:
    """Run a command-line tool to its end, discarding its output.

    Its peak memory is reported to the :class:`~glic_pyg.evaluation.peak_memory.PeakMemory` around the call.

    Raises:
        ToolFailed: it could not be started, or ended with an error.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise ToolFailed(f"{command[0]} cannot be started: {error.strerror}.") from error
        _wait(process)
        if process.returncode != 0:
            output.seek(0)
            lines = output.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise ToolFailed(f"{os.path.basename(command[0])} failed: {lines[-1].strip()}")


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for the process and note its peak memory, where the system reports it."""
    if not hasattr(os, "wait4"):
        process.wait()
        return
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    note_tool(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
