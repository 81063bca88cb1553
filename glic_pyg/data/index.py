"""The index of a data set: its images and their sizes, in an order that is the same however they are packed.

Measuring a large set takes minutes, so sizes are cached in a folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glic_pyg.data.image_file import SUFFIXES, ImageFile
from glic_pyg.data.sources import Source, find_files, is_shard, left_out
from glic_pyg.errors import DataError, UnreadableImage
from glic_pyg.files import write_file

__all__ = ["Catalogue", "FileIndex", "IndexCache", "build_catalogue", "default_cache_folder"]

_THREADS = 16  # measuring waits for the disk more than it computes
_NAMED = 10  # unreadable images in a summary
_VERSION = 2
"""Version of the cache file and of the rules by which images are read and measured."""


@dataclass(frozen=True)
class Catalogue:
    """Images that can be opened, sorted by name.

    Attributes:
        files: N images.
        sizes: their heights and widths, pixels, (N, 2) int64.
        unreadable: one line with name and reason for each that cannot be opened.
        left_out: how many files of other kinds there are, and of which; empty for none.
    """

    files: tuple[ImageFile, ...]
    sizes: NDArray[np.int64]
    unreadable: tuple[str, ...] = ()
    left_out: str = ""

    def __len__(self) -> int:
        return len(self.files)

    def at_least(self, side: int) -> NDArray[np.int64]:
        """Indices of the images that are at least `side` pixels high and wide."""
        return np.flatnonzero(self.sizes.min(axis=1) >= side)

    def select(self, numbers: Iterable[int]) -> Catalogue:
        """Return the catalogue of some of the images."""
        chosen = list(numbers)
        return replace(self, files=tuple(self.files[n] for n in chosen), sizes=self.sizes[chosen])

    def undecodable(self) -> Iterator[str | None]:
        """Decode every image, on all cores.

        Yields:
            for each, in order, ``None`` or a line with its name and what is wrong with it.
        """
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from pool.map(_fault, self.files)

    def digest(self) -> str:
        """SHA-256 of all file names and sizes in order, hex; the folder they are in does not matter."""
        digest = hashlib.sha256(np.ascontiguousarray(self.sizes, dtype="<i8").tobytes())
        for file in self.files:
            digest.update(f"{PurePath(file.member or file.path).name}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def summary(self, also_unreadable: Iterable[str] = ()) -> str:
        """One line: how many images there are, how many cannot be read, and which.

        Args:
            also_unreadable: lines for those of `files` whose damage showed only when they were decoded.
        """
        late = list(also_unreadable)
        lines = [*self.unreadable, *late]
        text = f"{len(self) - len(late)} images"
        if lines:
            more = f"; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
            text += f", {len(lines)} unreadable and left out: {'; '.join(lines[:_NAMED])}{more}"
        return f"{text}; {self.left_out}" if self.left_out else text


def build_catalogue(source: Source, cache: IndexCache | None = None) -> Catalogue:
    """Find the images of a data set and measure them.

    The order is that of the names: of files below their folder, of members inside their shards. So it is
    the same however the images are divided among shards, and with them unpacked.

    Args:
        source: see :func:`glic_pyg.data.sources.find_files`.
        cache: remembers what was measured before; ``None`` measures everything.

    Raises:
        DataError: there is no such data set, or not one image in it.
    """
    others: Counter[str] = Counter()
    found = find_files(source, others)
    cache = cache or IndexCache(None)
    with ThreadPoolExecutor(_THREADS) as pool:
        indices = list(pool.map(lambda item: cache.get(item[1], _measure), found))
    cache.save()
    rows = [
        (image.member or name, image, size)
        for (name, _), index in zip(found, indices, strict=True)
        for image, size in index.images
    ]
    rows.sort(key=lambda row: (row[0].removeprefix("./"), row[1].name))
    unreadable = tuple(line for index in indices for line in index.unreadable)
    if not rows:
        reasons = [f"the first of {len(unreadable)}: {unreadable[0]}"] if unreadable else []
        reasons += [left_out(others)] if others else []
        raise DataError("; ".join([f"Data {source} holds no readable image", *reasons]) + ".")
    sizes = np.array([size for *_, size in rows], dtype=np.int64)
    return Catalogue(tuple(image for _, image, _ in rows), sizes, unreadable, left_out(others))


def _fault(file: ImageFile) -> str | None:
    try:
        file.decode()
    except UnreadableImage as error:
        return str(error)
    return None


def _measure(path: Path) -> FileIndex:
    """Index one image file or one shard."""
    index = FileIndex()
    images = _in_shard(path) if is_shard(path) else iter([ImageFile(path)])
    try:
        for image in images:
            try:
                index.images.append((image, image.measure()))
            except UnreadableImage as error:
                index.unreadable.append(str(error))
    except UnreadableImage as error:  # the shard itself is damaged; what came before stays
        index.unreadable.append(str(error))
    return index


def _in_shard(shard: Path) -> Iterator[ImageFile]:
    """Yield the images of an uncompressed tar file, as WebDataset writes them, with their offsets.

    Only the headers are read. With offset and size any image can be read by itself, so that the order of
    training does not depend on how images were packed; a loader that reads shards from front to back can
    only shuffle within a window, and its order changes with the number of workers.

    Raises:
        UnreadableImage: after the images before the damage, if the shard is cut short or no tar file.
    """
    try:
        with tarfile.open(shard, "r:") as tar, shard.open("rb") as file:
            for member in tar:
                if member.size < 0:
                    raise tarfile.ReadError("a header in it claims a negative size")
                if member.isfile() and PurePosixPath(member.name).suffix.lower() in SUFFIXES:
                    yield ImageFile(shard, member.name, member.offset_data, member.size)
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE).strip(b"\0"):  # tarfile takes a damaged header for the end
                raise tarfile.ReadError("a header in it is invalid")
    except Exception as error:  # damaged headers end in errors of many types inside tarfile
        raise UnreadableImage(f"{shard}: not a whole, uncompressed tar file ({error})") from error


def default_cache_folder() -> Path:
    """``$XDG_CACHE_HOME/glic-pyg``, by default ``~/.cache/glic-pyg``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glic-pyg"


@dataclass
class FileIndex:
    """Index of one file: an image, or a shard of them.

    Attributes:
        images: each with its height and width, pixels.
        unreadable: one line for each that cannot be opened.
    """

    images: list[tuple[ImageFile, tuple[int, int]]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class IndexCache:
    """Cache of the indices of a data set's files, as one JSON file in a folder.

    An entry counts only as long as its file has the same size and time of change. The file is replaced as a
    whole, so that processes that start together can write it at once; one that cannot be read or written
    is as good as none. Small sets are measured in a moment and not remembered.

    Args:
        folder: where to keep it; ``None`` remembers nothing.
        name: identifies the data set, e.g. the source as the user wrote it.
        smallest: least number of images worth remembering.
    """

    def __init__(self, folder: Path | None, name: str = "", smallest: int = 2000) -> None:
        key = hashlib.sha256(f"{Path.cwd()}\n{name}".encode()).hexdigest()[:24]
        self.path = None if folder is None else folder / f"index-{key}.json"
        self.smallest = smallest
        self._known = self._load()
        self._indices: dict[str, tuple[list[int], FileIndex]] = {}
        self._measured = False

    def get(self, path: Path, measure: Callable[[Path], FileIndex]) -> FileIndex:
        """Return the index of a file, from the cache if it is still valid."""
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
        """Write the cache, if there are new entries and enough images."""
        count = sum(len(index.images) for _, index in self._indices.values())
        if self.path is None or not self._measured or count < self.smallest:
            return
        entries = {path: [stamp, *_to_rows(index)] for path, (stamp, index) in self._indices.items()}
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_file(self.path, json.dumps({"version": _VERSION, "files": entries}))

    def _remembered(self, path: Path, stamp: list[int]) -> FileIndex | None:
        """Return the cached index of a file that has not changed; ignore a damaged one."""
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
    rows = [[file.member, file.offset, file.size, *size] for file, size in index.images]
    return rows, index.unreadable


def _from_rows(path: Path, rows: list[Any], unreadable: list[str]) -> FileIndex:
    """Parse the rows of :func:`_to_rows`.

    Raises:
        TypeError, ValueError: something else was written there.
    """
    images = [
        (ImageFile(path, member, int(offset), int(size)), (int(height), int(width)))
        for member, offset, size, height, width in rows
    ]
    return FileIndex(images, [str(line) for line in unreadable])
