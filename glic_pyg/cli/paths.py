"""Paths that a user gives to a command: inputs, folders of them, and outputs that must not be lost."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from glic_pyg.cli.console import PIPE, say, shown
from glic_pyg.errors import GlicError

__all__ = ["check_ending", "check_output", "expand_folders", "is_stream", "open_input", "taken", "titles"]


@contextmanager
def open_input(path: str) -> Iterator[BinaryIO]:
    """A file, or standard input for ``-``, to read bytes from; a pipe cannot be seeked.

    Raises:
        GlicError: standard input is closed.
    """
    if path == PIPE:
        if sys.stdin is None:
            raise GlicError("Standard input is closed; pipe something into it, or name a file.")
        yield sys.stdin.buffer
        return
    with open(path, "rb") as file:
        yield file


def expand_folders(command: str, paths: Sequence[str], suffixes: Collection[str]) -> list[str]:
    """Replace each folder by the files in it, in the order of their names; subfolders are not searched.

    Files of other kinds are counted by their extensions in a message; hidden ones are passed over.

    Args:
        command: for the message.
        paths: files and folders.
        suffixes: what counts, in lower case with the dot.

    Raises:
        GlicError: a folder holds no such file.
    """
    if not any(map(os.path.isdir, paths)):
        return list(paths)

    from glic_pyg.data.sources import left_out

    found: list[str] = []
    for path in paths:
        if not os.path.isdir(path):
            found.append(path)
            continue
        inside: list[str] = []
        others: Counter[str] = Counter()
        for name in sorted(entry.name for entry in os.scandir(path) if not entry.is_dir()):
            if name.startswith("."):
                continue
            suffix = Path(name).suffix.lower()
            if suffix in suffixes:
                inside.append(name)
            else:
                others[suffix] += 1
        rest = shown(left_out(others))
        if not inside:
            kinds = " or ".join(sorted(suffixes))
            raise GlicError(f"The folder {shown(path)} holds no {kinds} files{rest and '; '}{rest}.")
        if rest:
            say(f"glic {command}: {shown(path)}: {rest}.")
        found += [os.path.join(path, name) for name in inside]
    return found


def titles(paths: Sequence[Path]) -> list[str]:
    """What tables call images: the stem of the name, or as much of the path as tells them apart."""
    found = [path.stem for path in paths]
    for longer in ([path.name for path in paths], [str(path) for path in paths]):
        counts = Counter(found)
        found = [more if counts[name] > 1 else name for name, more in zip(found, longer, strict=True)]
    seen: Counter[str] = Counter()
    for place, name in enumerate(found):
        seen[name] += 1
        found[place] = shown(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def check_ending(
    parser: argparse.ArgumentParser, target: str, endings: Collection[str], hint: str = ""
) -> None:
    """End the program with code 2 where the name of an output does not end as it should.

    So an input that a shell's pattern puts in the place of the output is not overwritten. Pipes and devices
    have no ending, and a folder is left to :func:`check_output`.
    """
    path = Path(target)
    if target == PIPE or is_stream(path) or path.is_dir() or path.suffix.lower() in endings:
        return
    which = "one of " if len(endings) > 1 else ""
    parser.error(f"{shown(target)} should end in {which}{', '.join(endings)}{hint}")


def check_output(target: str | Path, *, force: bool, sources: Sequence[str | Path] = ()) -> None:
    """Find out before the work whether an output may be written.

    Args:
        target: the output.
        force: an existing file may be replaced.
        sources: inputs, which never are.

    Raises:
        GlicError: the target is a folder, lies in none, is one of the sources, or exists.
    """
    path = Path(target)
    if str(target) == PIPE or is_stream(path):
        return
    if path.is_dir():
        raise GlicError(f"{shown(target)} is a folder; give a file name, or the folder with -o.")
    if not path.parent.is_dir():
        raise GlicError(f"The folder {shown(path.parent)} does not exist; create it first.")
    if path.exists() and any(os.path.exists(source) and path.samefile(source) for source in sources):
        raise GlicError("Input and output are the same file; give another output.")
    if os.path.lexists(path) and not force:
        raise taken(target)


def taken(target: str | Path) -> GlicError:
    """What to say of an output that exists."""
    return GlicError(f"{shown(target)} exists; overwrite it with --force.")


def is_stream(path: Path) -> bool:
    """Whether a path is a pipe or a device, which is written as it is."""
    return path.exists() and not path.is_file() and not path.is_dir()
