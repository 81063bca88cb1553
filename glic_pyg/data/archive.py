"""Extracts images from untrusted zip and tar archives."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, Any

from glic_pyg.errors import DataError

__all__ = ["unpack"]

_CHUNK = 1 << 20
_LARGEST_HEADER = 1 << 24
_MOST_FILES = 1 << 22
_COMPRESSIONS: tuple[tuple[bytes, Any], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\0", lzma.open),
)


def unpack(archive: Path, pattern: str, folder: Path, max_bytes: int, name: str) -> list[Path]:
    """Extract the members that match a pattern into one folder, under the last part of their names.

    The whole archive is read, so that the checksums of a compressed tar file, which stand at its end, are
    compared. Links, devices and sparse files are no images and are left in it.

    Args:
        archive: a zip or a (compressed) tar file.
        pattern: like ``*/valid/*.png``; ``*`` also stands for slashes.
        folder: an empty folder to put them into; after an error some may be there.
        max_bytes: what all members may have together; of a tar file also those that do not fit the pattern.
        name: what to call the archive in messages.

    Returns:
        The files, in the order of the archive.

    Raises:
        DataError: it is no archive, damaged, too large, nothing fits, or two members have one name.
        OSError: a file cannot be written.
    """
    written: dict[str, Path] = {}
    room = _Room(name, max_bytes)
    try:
        with _members(archive, room) as members:
            for path, size, member in members:
                place = PurePosixPath(path)
                if not fnmatchcase(path, pattern) or place.name.startswith("."):
                    continue
                if place.name in written:
                    raise DataError(f"{name} holds two files called {place.name}.")
                room.take(size)
                written[place.name] = _write(member, folder / place.name)
    except DataError:
        raise
    except Exception as error:  # tarfile, zipfile and three decompressors share no error type
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(f"{error}".split())[:200] or type(error).__name__
        raise DataError(f"{name} is damaged ({reason}); remove it and fetch it again.") from error
    if not written:
        raise DataError(f"{name} holds nothing like {pattern}; correct the list's column members.")
    return list(written.values())


class _Nonsense(Exception):
    """The archive has headers that no program writes."""


class _Room:
    """Remaining allowance of bytes and files."""

    def __init__(self, name: str, max_bytes: int) -> None:
        self.name = name
        self.max_bytes = self.left = max_bytes
        self.files = 0

    def take(self, size: int) -> None:
        """Use ``size`` bytes for one file more.

        Raises:
            DataError: there is not so much room.
        """
        self.left -= size
        self.files += 1
        if self.left < 0:
            raise DataError(
                f"{self.name} unpacks to more than {self.max_bytes} bytes; "
                "allow more with --max-bytes if you trust it."
            )
        if self.files > _MOST_FILES:
            raise DataError(f"{self.name} holds more than {_MOST_FILES} files.")


def _write(member: IO[bytes], path: Path) -> Path:
    with path.open("xb") as out:
        shutil.copyfileobj(member, out)
    return path


@contextmanager
def _members(archive: Path, room: _Room) -> Iterator[Iterator[tuple[str, int, IO[bytes]]]]:
    """Yield name, size and content of every file in an archive."""
    with archive.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PK") and zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield _in_zip(opened)
        return
    opener = next((opener for mark, opener in _COMPRESSIONS if head.startswith(mark)), open)
    with opener(archive, "rb") as content:
        stream: Any = _TarStream(content, room)
        try:
            packed = tarfile.TarFile(fileobj=stream)
        except tarfile.ReadError:
            raise DataError(f"{room.name} is neither a zip nor a tar file.") from None
        yield _in_tar(packed)
        if stream.last.strip(b"\0"):  # tarfile takes a damaged header for the end of the archive
            raise _Nonsense("a header in it is invalid")
        while stream.read(_CHUNK):
            pass


def _in_zip(archive: zipfile.ZipFile) -> Iterator[tuple[str, int, IO[bytes]]]:
    for info in archive.infolist():
        if not info.is_dir():
            with archive.open(info) as content:
                yield info.filename, info.file_size, content


def _in_tar(archive: Any) -> Iterator[tuple[str, int, Any]]:
    while (info := archive.next()) is not None:
        archive.members = []  # else tarfile keeps them all
        if info.size < 0:
            raise _Nonsense(f"a header in it claims {info.size} bytes")
        if info.isfile() and not info.issparse():
            yield info.name, info.size, archive.extractfile(info)


class _TarStream:
    """Sequential reader of a tar file's content for ``tarfile``, with bounds on every read.

    Attributes:
        last: what was read last.
    """

    def __init__(self, content: IO[bytes], room: _Room) -> None:
        self._content = content
        self._room = room
        self._at = 0
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        """Read the next ``size`` bytes; headers that claim to be huge are refused."""
        if not 0 <= size <= _LARGEST_HEADER:
            raise _Nonsense(f"a header in it claims {size} bytes")
        self.last = self._content.read(size)
        self._at += len(self.last)
        if self._at > self._room.max_bytes + _LARGEST_HEADER:
            self._room.take(self._at)
        return self.last

    def tell(self) -> int:
        """Return the bytes read or skipped so far."""
        return self._at

    def seek(self, target: int) -> int:
        """Skip forward to a position."""
        if target < self._at:
            raise _Nonsense("its headers point backwards")
        while self._at < target and self.read(min(_CHUNK, target - self._at)):
            pass
        return self._at
