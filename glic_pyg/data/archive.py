"""Pictures out of a zip or tar archive."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, Any

from glic_pyg.data.image_file import DataError
from glic_pyg.files import atomic_write

__all__ = ["unpack"]

_FAULTS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError)


def unpack(archive: Path, pattern: str, folder: Path) -> list[Path]:
    """Take the members that fit a pattern out of an archive, into one folder, by their last names.

    Args:
        archive: a zip or a (compressed) tar file.
        pattern: like ``*/valid/*.png``; ``*`` also stands for slashes.
        folder: where to put them; a file is there whole or not at all.

    Returns:
        The files, in the order of the archive.

    Raises:
        DataError: it is no archive, damaged, nothing fits, or two members have one name.
    """
    written: dict[str, Path] = {}
    try:
        with _members(archive) as members:
            for name, member in members:
                place = PurePosixPath(name)
                if not fnmatchcase(name, pattern) or place.name.startswith("."):
                    continue
                if place.name in written:
                    raise DataError(f"{archive.name} holds two files called {place.name}.")
                written[place.name] = _write(member, folder / place.name)
    except _FAULTS as error:
        raise DataError(f"{archive.name} is damaged ({error}); remove it and fetch it again.") from error
    if not written:
        raise DataError(f"{archive.name} holds nothing like {pattern}; correct the list's column members.")
    return list(written.values())


def _write(member: IO[bytes], path: Path) -> Path:
    with atomic_write(path) as place, place.open("wb") as out:
        shutil.copyfileobj(member, out)
    return path


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """Name and content of every file in an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield _in_zip(opened)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as packed:
            yield _in_tar(packed)
    else:
        raise DataError(f"{archive.name} is neither a zip nor a tar file.")


def _in_zip(archive: zipfile.ZipFile) -> Iterator[tuple[str, IO[bytes]]]:
    for info in archive.infolist():
        if not info.is_dir():
            with archive.open(info) as content:
                yield info.filename, content


def _in_tar(archive: tarfile.TarFile) -> Iterator[tuple[str, Any]]:
    for info in archive:
        if info.isfile():
            yield info.name, archive.extractfile(info)
