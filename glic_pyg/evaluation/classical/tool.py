"""Running a command-line tool on files, with its own peak of memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from glic_pyg.errors import GlicError
from glic_pyg.evaluation.peak_memory import note_tool

__all__ = ["ToolFailed", "run_tool"]


class ToolFailed(GlicError):
    """A tool ended with an error; the message holds its last line."""


def run_tool(command: Sequence[str]) -> None:
    """Run a tool to its end, its output thrown away.

    Raises:
        ToolFailed: it could not be started, or said that it failed.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise ToolFailed(f"{command[0]} cannot be started: {error.strerror}.") from error
        _wait(process)
        if process.returncode != 0:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise ToolFailed(f"{os.path.basename(command[0])} failed: {lines[-1].strip()}")


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait, and note the most memory the process ever held, where the system tells it."""
    if not hasattr(os, "wait4"):
        process.wait()
        return
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    note_tool(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
