"""Going through a whole data set: what cannot be decoded, and what has changed since it was fetched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from glic_pyg.data.catalogue import Catalogue
from glic_pyg.data.fetch_record import FetchRecord, sha256_of
from glic_pyg.data.image_file import ImageFile, UnreadableImage

__all__ = ["changed_files", "undecodable"]


def undecodable(catalogue: Catalogue) -> Iterator[str | None]:
    """Decode every picture, on all cores.

    Yields:
        For each, in order, ``None`` or a line with its name and what is wrong with it.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(_fault, catalogue.files)


def changed_files(folder: Path) -> list[str]:
    """A line for each file that ``glic data get`` put into a folder and that is not as it came.

    Files that were unpacked from an archive have no checksum of their own; their size is compared.

    Raises:
        DataError: the folder's record is damaged.
    """
    record = FetchRecord(folder)
    lines = []
    for name, entry in record.files.items():
        if not record.is_there(name):
            lines.append(f"{folder / name}: missing, or not of the size that was fetched")
        elif name in entry.kept and sha256_of(folder / name) != entry.sha256:
            lines.append(f"{folder / name}: not the bytes that were fetched")
    return lines


def _fault(file: ImageFile) -> str | None:
    try:
        file.decode()
    except UnreadableImage as error:
        return str(error)
    return None
