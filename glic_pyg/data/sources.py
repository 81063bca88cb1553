"""Finds the files of a data set: folders, tar shards, lists of files, patterns."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from glob import glob
from pathlib import Path

from glic_pyg.data.image_file import SUFFIXES
from glic_pyg.errors import DataError
from glic_pyg.files import read_text

__all__ = ["Source", "find_files", "is_shard", "left_out"]

Source = str | Path | Sequence[str | Path]
"""A folder, a shard, an image, a text file with one path per line, a pattern, or several of them."""

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def is_shard(path: Path) -> bool:
    """Whether a file is a tar shard, by its name."""
    return path.suffix.lower() == ".tar"


def left_out(others: Mapping[str, int]) -> str:
    """Format the number of files left out: ``"3 files left out (2 .heic, 1 .pgm)"``; empty for none."""
    total = sum(others.values())
    most = sorted(others.items(), key=lambda item: (-item[1], not item[0], item[0]))
    kinds = ", ".join(f"{count} {kind or 'without extension'}" for kind, count in most)
    return f"{total} file{'s' if total > 1 else ''} left out ({kinds})" if total else ""


def find_files(source: Source, others: Counter[str] | None = None) -> list[tuple[str, Path]]:
    """Find the images and shards of a data set, each with the name it is sorted by.

    Folders are searched with their subfolders, hidden files left out. Lines of a list are paths, relative
    ones from the list's folder, of images, shards or folders; ``#`` begins a comment. Patterns are those of
    the shell and the ranges of WebDataset, ``train-{000..146}.tar``.

    Args:
        source: what to search.
        others: counts the extensions of files in folders that are neither, for :func:`left_out`.

    Returns:
        (name, path) of each file: the name is relative to the folder, or as it stands in the list.

    Raises:
        DataError: there is no such thing.
    """
    others = Counter() if others is None else others
    if not isinstance(source, str | Path):
        return [found for part in source for found in find_files(part, others)]
    path = Path(source).expanduser()
    if path.is_dir():
        return list(_in_folder(path, others))
    if path.is_file():
        return [(path.name, path)] if is_shard(path) or _is_image(path) else list(_in_list(path, others))
    matches = [match for pattern in _expand_ranges(str(path)) for match in sorted(glob(pattern))]
    if not matches:
        raise DataError(
            f"Data {source} does not exist; name a folder, a tar shard or a list of files (data/README.md)."
        )
    return find_files(matches, others)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _in_folder(folder: Path, others: Counter[str]) -> Iterator[tuple[str, Path]]:
    """Yield the files below a folder, each folder once, however many links lead to it or back up.

    A link to a folder is followed unless it leads to one that is searched anyway, or that holds this one.
    """
    root = folder.resolve()
    entered = {root}
    for place, subfolders, names in os.walk(folder, followlinks=True):
        here = Path(place)
        wanted = []
        for name in sorted(name for name in subfolders if not name.startswith(".")):
            target, is_link = (here / name).resolve(), (here / name).is_symlink()
            if target not in entered and not (is_link and _leads_back(target, here.resolve(), root)):
                entered.add(target)
                wanted.append(name)
        subfolders[:] = wanted
        for path in (here / name for name in names if not name.startswith(".")):
            if is_shard(path) or _is_image(path):
                yield path.relative_to(folder).as_posix(), path
            else:
                others[path.suffix.lower()] += 1


def _leads_back(target: Path, here: Path, root: Path) -> bool:
    """Whether a link inside ``here`` leads to what is searched below ``root``, or to what holds either."""
    if target.is_relative_to(root):
        return not any(part.startswith(".") for part in target.relative_to(root).parts)
    return root.is_relative_to(target) or here.is_relative_to(target)


def _in_list(path: Path, others: Counter[str]) -> Iterator[tuple[str, Path]]:
    try:
        lines = read_text(path).split("\n")
    except ValueError:
        raise DataError(f"{path} is no image, no .tar shard and no list of files in UTF-8.") from None
    for line in (line.strip() for line in lines):
        entry = path.parent / line
        if not line or line.startswith("#"):
            continue
        if entry.is_dir():
            yield from ((f"{line}/{name}", found) for name, found in _in_folder(entry, others))
        else:
            yield line, entry  # if it is not there, it is reported with the unreadable images


def _expand_ranges(pattern: str) -> Iterator[str]:
    """``a{08..10}b`` → ``a08b``, ``a09b``, ``a10b``; every range, with its leading zeros."""
    match = _RANGE.search(pattern)
    if match is None:
        yield pattern
        return
    first, last = match.groups()
    for number in range(int(first), int(last) + 1):
        yield from _expand_ranges(
            pattern[: match.start()] + f"{number:0{len(first)}}" + pattern[match.end() :]
        )
