"""All pictures of a data set with their sizes, in an order that does not hang on how they are packed."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from glic_pyg.data.image_file import DataError, ImageFile, UnreadableImage
from glic_pyg.data.index_cache import FileIndex, IndexCache
from glic_pyg.data.sources import Source, find_files, is_shard, left_out
from glic_pyg.data.tar_shard import pictures_in

__all__ = ["Catalogue", "build_catalogue"]

_THREADS = 16  # measuring waits for the disk more than it computes
_NAMED = 10  # unreadable pictures in a summary


@dataclass(frozen=True)
class Catalogue:
    """Pictures that can be opened, sorted by name.

    Attributes:
        files: N pictures.
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
        """Numbers of the pictures that are `side` pixels high and wide, or more."""
        return np.flatnonzero(self.sizes.min(axis=1) >= side)

    def select(self, numbers: Iterable[int]) -> Catalogue:
        """A part of the pictures."""
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
        """One line: how many pictures there are, how many cannot be read, and which.

        Args:
            also_unreadable: lines for those of `files` whose damage showed only when they were decoded.
        """
        late = list(also_unreadable)
        lines = [*self.unreadable, *late]
        text = f"{len(self) - len(late)} pictures"
        if lines:
            more = f"; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
            text += f", {len(lines)} unreadable and left out: {'; '.join(lines[:_NAMED])}{more}"
        return f"{text}; {self.left_out}" if self.left_out else text


def build_catalogue(source: Source, cache: IndexCache | None = None) -> Catalogue:
    """Find the pictures of a data set and measure them.

    The order is that of the names: of files below their folder, of members inside their shards. So it is
    the same however the pictures are divided among shards, and with them unpacked.

    Args:
        source: see :func:`glic_pyg.data.sources.find_files`.
        cache: remembers what was measured before; ``None`` measures everything.

    Raises:
        DataError: there is no such data set, or not one picture in it.
    """
    others: Counter[str] = Counter()
    found = find_files(source, others)
    cache = cache or IndexCache(None)
    with ThreadPoolExecutor(_THREADS) as pool:
        indices = list(pool.map(lambda item: cache.get(item[1], _measure), found))
    cache.save()
    rows = [
        (picture.member or name, picture, size)
        for (name, _), index in zip(found, indices, strict=True)
        for picture, size in index.pictures
    ]
    rows.sort(key=lambda row: (row[0].removeprefix("./"), row[1].name))
    unreadable = tuple(line for index in indices for line in index.unreadable)
    if not rows:
        reasons = [f"the first of {len(unreadable)}: {unreadable[0]}"] if unreadable else []
        reasons += [left_out(others)] if others else []
        raise DataError("; ".join([f"Data {source} holds no readable picture", *reasons]) + ".")
    sizes = np.array([size for *_, size in rows], dtype=np.int64)
    return Catalogue(tuple(picture for _, picture, _ in rows), sizes, unreadable, left_out(others))


def _fault(file: ImageFile) -> str | None:
    try:
        file.decode()
    except UnreadableImage as error:
        return str(error)
    return None


def _measure(path: Path) -> FileIndex:
    """What is in one picture file or one shard."""
    index = FileIndex()
    pictures = pictures_in(path) if is_shard(path) else iter([ImageFile(path)])
    try:
        for picture in pictures:
            try:
                index.pictures.append((picture, picture.measure()))
            except UnreadableImage as error:
                index.unreadable.append(str(error))
    except UnreadableImage as error:  # the shard itself is damaged; what came before stays
        index.unreadable.append(str(error))
    return index
