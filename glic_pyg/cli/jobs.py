"""Many files at once: which becomes which, and one after the other."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from glic_pyg.cli.console import PIPE, CommandError, FileBatch, say, sentence_of, shown
from glic_pyg.cli.paths import check_ending, check_output, expand_folders, is_stream, open_input, taken
from glic_pyg.files import write_file

__all__ = ["Job", "Result", "Work", "add_job_options", "plan_jobs", "run_jobs"]


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


T = TypeVar("T")
Work = Callable[[T, Job], Result]


def add_job_options(parser: argparse.ArgumentParser, *, source: str, result: str) -> None:
    """Add the paths and what happens to files that exist."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help=f"one {source} and one {result} ('-' for pipes), or any number of {source}s and folders with -o",
    )
    parser.add_argument(
        "-o", "--output-dir", metavar="DIR", help=f"write the {result} of every {source} into DIR"
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("-f", "--force", action="store_true", help="overwrite files that exist")
    existing.add_argument(
        "--skip-existing", action="store_true", help="leave files that exist as they are, which is no error"
    )
    parser.add_argument(
        "--keep-extension",
        action="store_true",
        help="with -o: add the extension, to keep a.x and a.y apart",
    )


def plan_jobs(
    parser: argparse.ArgumentParser,
    args: argparse.Namespace,
    *,
    suffix: str,
    endings: Collection[str],
    inputs: Callable[[], Collection[str]],
) -> list[Job]:
    """Pair inputs with outputs; wrong usage ends the program with code 2 and a sentence.

    Args:
        parser: of the command.
        args: what :func:`add_job_options` added.
        suffix: of outputs in a folder.
        endings: what the name of an output may end in: so an input that a shell's pattern puts in the place
            of the output is not overwritten.
        inputs: extensions of the files to take from a folder.

    Raises:
        GlicError: a folder holds no input.
    """
    if args.output_dir is None:
        if len(args.paths) != 2:
            parser.error("give one input and one output, or any number of inputs with -o DIR")
        job = Job(*args.paths)
        if os.path.isdir(job.source):
            parser.error(f"{shown(job.source)} is a folder; give its output folder with -o DIR")
        check_ending(parser, job.target, endings, "; for several files give -o DIR")
        return [job]
    if PIPE in args.paths:
        parser.error("standard input has no name to go into -o DIR; give an output instead")
    if os.path.lexists(args.output_dir) and not os.path.isdir(args.output_dir):
        parser.error(f"{shown(args.output_dir)} is a file; -o takes a folder")
    sources = args.paths
    if any(map(os.path.isdir, sources)):  # else the extensions are not needed
        sources = expand_folders(parser.prog.removeprefix("glic "), sources, inputs())
    folder = Path(args.output_dir)
    jobs = [
        Job(path, str(folder / _output_name(Path(path), suffix, args.keep_extension))) for path in sources
    ]
    _check_clashes(parser, jobs)
    folder.mkdir(parents=True, exist_ok=True)
    return jobs


def _output_name(source: Path, suffix: str, keep_extension: bool) -> str:
    """``a.png`` becomes ``a.glic`` or ``a.png.glic``, and both of them ``a.png`` again."""
    if keep_extension:
        return source.name + suffix
    return source.stem if source.stem.lower().endswith(suffix) else source.stem + suffix


def _check_clashes(parser: argparse.ArgumentParser, jobs: Sequence[Job]) -> None:
    seen: dict[str, str] = {}
    for job in jobs:
        if job.target not in seen:
            seen[job.target] = job.source
            continue
        first = seen[job.target]
        if Path(first).name == Path(job.source).name:
            way_out = "give each an output folder of its own"
        else:
            way_out = "keep their extensions with --keep-extension"
        both = f"{shown(first)} and {shown(job.source)}"
        parser.error(f"{both} would both become {shown(job.target)}; {way_out}")


BAR_FROM = 4_000_000
"""Pixels from which on the work on one image is shown in a bar of its own."""


def shown_in(batch: FileBatch, pixels: int) -> Callable[[float, str], None] | None:
    """What shows in the batch how far the work on an image of so many pixels is; ``None`` for small ones."""
    if pixels <= BAR_FROM:
        return None
    return lambda done, phase: batch.steps(round(100 * done), 100, phase)


def run_jobs(
    command: str,
    jobs: Sequence[Job],
    read: Callable[[BinaryIO], T],
    prepare: Callable[[FileBatch], Work[T]],
    args: argparse.Namespace,
) -> int:
    """Do every job; one that fails is named on standard error and the others run.

    Args:
        command: for messages.
        jobs: what to make of what.
        read: reads one input.
        prepare: is called when the first input has been read, and returns what makes a result of it, and may
            say in the batch how far it is. What this function raises ends the command, what a job raises does
            not.
        args: what :func:`add_job_options` added.

    Returns:
        0 if all went well, else 1.
    """
    runner = _Runner(read, prepare, args.force, args.skip_existing)
    with FileBatch(command, len(jobs)) as batch:
        for job in jobs:
            with batch.file(job.source):
                runner.run(job, batch)
    if runner.skipped:
        files = "file" if len(jobs) == 1 else f"of {len(jobs)} files"
        say(f"glic {command}: {runner.skipped} {files} skipped, because the output exists.")
    return 1 if batch.failed else 0


class _Runner(Generic[T]):
    """Runs one job after the other."""

    def __init__(
        self,
        read: Callable[[BinaryIO], T],
        prepare: Callable[[FileBatch], Work[T]],
        force: bool,
        skip_existing: bool,
    ) -> None:
        self.force, self.skip_existing = force, skip_existing
        self.skipped = 0
        self._read, self._prepare = read, prepare
        self._work: Work[T] | None = None

    def run(self, job: Job, batch: FileBatch) -> None:
        """Make one file and say what became of it."""
        path = Path(job.target)
        if self.skip_existing and job.target != PIPE and os.path.lexists(path) and not is_stream(path):
            self.skipped += 1
            return
        check_output(path, force=self.force, sources=[job.source])
        result = self._make(job, batch)
        try:
            if job.target == PIPE:
                sys.stdout.buffer.write(result.data)
                sys.stdout.buffer.flush()
            else:
                write_file(path, result.data, overwrite=self.force)
        except FileExistsError:  # since the work began
            if self.skip_existing:
                self.skipped += 1
                return
            raise taken(path) from None
        batch.say(f"{shown(job.source)} -> {shown(job.target)}: {result.summary}")
        for note in result.notes:
            batch.say(f"  note: {note}")
        for warning in result.warnings:
            batch.say(f"  WARNING: {warning}", style="bold yellow")

    def _make(self, job: Job, batch: FileBatch) -> Result:
        with open_input(job.source) as stream:
            source = self._read(stream)
        if self._work is None:
            try:
                self._work = self._prepare(batch)
            except Exception as error:
                raise CommandError(sentence_of(error)) from error
        return self._work(source, job)
