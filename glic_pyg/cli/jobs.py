"""Many files at once: which becomes which, one after the other, a failure here and there, a progress bar."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import Progress

from glic_pyg.cli.file_output import check_output, write_output
from glic_pyg.codec.errors import GlicError

__all__ = ["PIPE", "Job", "Result", "plan_jobs", "run_jobs"]

PIPE = "-"


@dataclass(frozen=True)
class Job:
    """One file to make; ``-`` stands for standard input or output."""

    source: str
    target: str


@dataclass(frozen=True)
class Result:
    """What one job made.

    Attributes:
        data: the bytes to write.
        summary: a few words for the report.
        notes: whole sentences about what was not kept.
        warnings: whole sentences about what the user may not want.
    """

    data: bytes
    summary: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def plan_jobs(
    parser: argparse.ArgumentParser, paths: Sequence[str], output_dir: str | None, suffix: str
) -> list[Job]:
    """Pair inputs with outputs; wrong usage ends the program with code 2 and a sentence."""
    if output_dir is None:
        if len(paths) != 2:
            parser.error("give one input and one output, or any number of inputs with -o DIR")
        return [Job(paths[0], paths[1])]
    if PIPE in paths:
        parser.error("standard input has no name to go into -o DIR; give an output instead")
    jobs = [Job(path, str(Path(output_dir) / (Path(path).stem + suffix))) for path in paths]
    seen: dict[str, str] = {}
    for job in jobs:
        if job.target in seen:
            parser.error(f"{seen[job.target]} and {job.source} would both become {job.target}")
        seen[job.target] = job.source
    Path(output_dir).mkdir(parents=True, exist_ok=True)
    return jobs


def run_jobs(
    command: str, jobs: Sequence[Job], work: Callable[[BinaryIO, Job], Result], *, force: bool
) -> int:
    """Do every job; a file that fails is named on standard error and the others go on.

    Args:
        command: for messages.
        jobs: what to make of what.
        work: turns an open source into a result; a pipe cannot be seeked.
        force: overwrite files that exist.

    Returns:
        0 if all went well, else 1.
    """
    failures = 0
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    with _progress(console, len(jobs)) as advance:
        for job in jobs:
            try:
                result = _do(job, work, force)
            except (GlicError, OSError) as error:
                failures += 1
                console.print(f"glic {command}: {_shown(job.source)}: {_sentence(error)}")
            else:
                console.print(f"{_shown(job.source)} -> {_shown(job.target)}: {result.summary}")
                for note in result.notes:
                    console.print(f"  note: {note}")
                for warning in result.warnings:
                    console.print(f"  WARNING: {warning}", style="bold yellow")
            advance()
    if failures and len(jobs) > 1:
        console.print(f"glic {command}: {failures} of {len(jobs)} files failed.")
    return 1 if failures else 0


def _do(job: Job, work: Callable[[BinaryIO, Job], Result], force: bool) -> Result:
    check_output(job.source, job.target, force)
    if job.source == PIPE:
        result = work(sys.stdin.buffer, job)
    else:
        with open(job.source, "rb") as source:
            result = work(source, job)
    if job.target == PIPE:
        sys.stdout.buffer.write(result.data)
        sys.stdout.buffer.flush()
    else:
        write_output(Path(job.target), result.data)
    return result


@contextlib.contextmanager
def _progress(console: Console, count: int) -> Iterator[Callable[[], None]]:
    """A bar for several files on a terminal, nothing otherwise."""
    with Progress(console=console, transient=True, disable=count < 2 or not console.is_terminal) as bar:
        task = bar.add_task("files", total=count)
        yield lambda: bar.advance(task)


def _shown(path: str) -> str:
    return "(pipe)" if path == PIPE else path


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f' ({error.filename})' if error.filename else ''}."
    return str(error)
