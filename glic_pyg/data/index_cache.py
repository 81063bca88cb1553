"""Remembers what is in large data sets, so that it is measured once and not at every start."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glic_pyg.data.image_file import ImageFile
from glic_pyg.files import write_file

__all__ = ["FileIndex", "IndexCache", "default_cache_folder"]

_VERSION = 2
"""Of the file, and of what counts as a readable picture of which size."""


def default_cache_folder() -> Path:
    """``$XDG_CACHE_HOME/glic-pyg``, by default ``~/.cache/glic-pyg``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glic-pyg"


@dataclass
class FileIndex:
    """What is in one file: a picture or a shard of them.

    Attributes:
        pictures: each with its height and width, pixels.
        unreadable: one line for each that cannot be opened.
    """

    pictures: list[tuple[ImageFile, tuple[int, int]]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class IndexCache:
    """The indices of a data set's files, in one JSON file of a cache folder.

    An entry counts only as long as its file has the same size and time of change. The file is replaced as a
    whole, so that processes that start together can write it at once; one that cannot be read or written
    is as good as none. Small sets are measured in a moment and not remembered.

    Args:
        folder: where to keep it; ``None`` remembers nothing.
        name: tells data sets apart, e.g. the source as the user wrote it.
        smallest: least number of pictures worth remembering.
    """

    def __init__(self, folder: Path | None, name: str = "", smallest: int = 2000) -> None:
        key = hashlib.sha256(f"{Path.cwd()}\n{name}".encode()).hexdigest()[:24]
        self.path = None if folder is None else folder / f"index-{key}.json"
        self.smallest = smallest
        self._known = self._load()
        self._indices: dict[str, tuple[list[int], FileIndex]] = {}
        self._measured = False

    def get(self, path: Path, measure: Callable[[Path], FileIndex]) -> FileIndex:
        """The index of a file: the remembered one if it still holds, else measured."""
        try:
            status = path.stat()
        except OSError:
            return measure(path)  # which says what is wrong
        stamp = [status.st_size, status.st_mtime_ns]
        index = self._remembered(path, stamp)
        if index is None:
            index, self._measured = measure(path), True
        self._indices[str(path)] = (stamp, index)
        return index

    def save(self) -> None:
        """Write what :meth:`get` has seen since the start, if any of it is new and there is much of it."""
        count = sum(len(index.pictures) for _, index in self._indices.values())
        if self.path is None or not self._measured or count < self.smallest:
            return
        entries = {path: [stamp, *_to_rows(index)] for path, (stamp, index) in self._indices.items()}
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_file(self.path, json.dumps({"version": _VERSION, "files": entries}))

    def _remembered(self, path: Path, stamp: list[int]) -> FileIndex | None:
        """The remembered index of a file that has not changed; one in a damaged form is forgotten."""
        try:
            before, rows, unreadable = self._known[str(path)]
            return _from_rows(path, rows, unreadable) if before == stamp else None
        except (KeyError, TypeError, ValueError):
            return None

    def _load(self) -> dict[str, Any]:
        if self.path is None:
            return {}
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return dict(content["files"]) if content["version"] == _VERSION else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}


def _to_rows(index: FileIndex) -> tuple[list[Any], list[str]]:
    rows = [[file.member, file.offset, file.size, *size] for file, size in index.pictures]
    return rows, index.unreadable


def _from_rows(path: Path, rows: list[Any], unreadable: list[str]) -> FileIndex:
    """Undo :func:`_to_rows`.

    Raises:
        TypeError, ValueError: something else was written there.
    """
    pictures = [
        (ImageFile(path, member, int(offset), int(size)), (int(height), int(width)))
        for member, offset, size, height, width in rows
    ]
    return FileIndex(pictures, [str(line) for line in unreadable])
