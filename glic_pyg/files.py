"""Atomic file writes: a file is complete or absent, and one that exists is never lost by accident.

Unfinished files live in a hidden folder beside their target, so that a long target name stays legal and a
library may choose its own temporary names inside. The folder goes when the writer ends, whether it succeeds,
fails or is interrupted; one that a killed process left behind is removed by the next writer in that place.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

__all__ = ["atomic_write", "publish", "read_text", "read_up_to", "staging_folder", "write_file"]

_STAGING_NAME = re.compile(r"\.glic-[0-9a-f]{16}\.part")
_NO_HARD_LINKS = (errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_CHUNK = 1 << 20
_LARGEST_TEXT = 1 << 28
_cleaned: set[str] = set()


def read_up_to(stream: BinaryIO, count: int) -> bytes:
    """Read ``count`` bytes of a stream, seekable or not; fewer only where it ends.

    Memory is taken for what comes, not for what might.
    """
    parts = []
    while count > 0 and (part := stream.read(min(count, _CHUNK))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_text(path: str | Path) -> str:
    """Read a text file that the user named and that may be anything: UTF-8, with or without a mark in front.

    Raises:
        ValueError: it is larger than 256 MiB, which is found out before it is read, or not UTF-8.
    """
    with open(path, "rb") as file:
        large = os.fstat(file.fileno()).st_size > _LARGEST_TEXT
        if large or len(data := read_up_to(file, _LARGEST_TEXT + 1)) > _LARGEST_TEXT:
            raise ValueError(f"{path} is too large for a text file")
    return data.decode("utf-8-sig")


def write_file(path: str | Path, content: bytes | str, *, overwrite: bool = True) -> None:
    """Write bytes, or text as UTF-8, with :func:`atomic_write`.

    Undecodable parts of file names, which UTF-8 has no bytes for, are escaped.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with atomic_write(path, overwrite=overwrite) as place:
        place.write_bytes(data)


@contextmanager
def atomic_write(path: str | Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path with the same file name; what is written there becomes ``path`` at the end.

    On any failure ``path`` stays as it was. A new file gets the permissions of the umask, a replaced one
    keeps its own. A symbolic link is followed: the file it points to is replaced and the link stays. Pipes
    and devices are written directly.

    Args:
        path: the target; its folder must exist.
        overwrite: replace an existing file. Otherwise the file is created under the condition that nothing
            has that name, which holds against other processes too.

    Raises:
        FileExistsError: something has that name, even a broken link, and ``overwrite`` is off.
        OSError: it cannot be written; ``filename`` is ``path`` or its folder.
    """
    if _is_stream(path):
        yield Path(path)
        return
    if not overwrite and os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    target = Path(os.path.realpath(path))
    with _errors_name(path), staging_folder(target.parent) as folder:
        yield folder / target.name
        publish(folder / target.name, target, overwrite=overwrite)


@contextmanager
def staging_folder(parent: str | Path) -> Iterator[Path]:
    """A temporary folder in ``parent`` for files that :func:`publish` moves to their places.

    Raises:
        OSError: ``parent`` does not exist or cannot be written to.
    """
    _remove_abandoned(parent)
    with _errors_name(parent):
        folder, lock = _locked_folder(Path(parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _unlock(lock)


def publish(staged: Path, target: Path, *, overwrite: bool = True) -> None:
    """Move a finished file from its :func:`staging_folder` to a path in the parent folder, on disk first.

    Args:
        staged: the file.
        target: where to; if it is a link, the link itself is replaced.
        overwrite: replace an existing file and keep its permissions and, as far as allowed, its owner.

    Raises:
        FileExistsError: something has that name and ``overwrite`` is off.
    """
    descriptor = os.open(staged, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _set_permissions(staged, target, keep=overwrite)
    if overwrite:
        os.replace(staged, target)
    else:
        _create(staged, target)


def _create(staged: Path, target: Path) -> None:
    """Give the file a name that nobody has: ``link`` fails where ``rename`` would replace."""
    try:
        os.link(staged, target)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))  # reserve the name, then replace it
        os.replace(staged, target)


def _set_permissions(staged: Path, target: Path, *, keep: bool) -> None:
    mode = stat.S_IMODE(staged.parent.stat().st_mode) & 0o666  # mkdir has applied the umask
    if keep and target.is_file():
        before = target.stat()
        mode = stat.S_IMODE(before.st_mode) & 0o777
        if hasattr(os, "chown"):
            with suppress(PermissionError):
                os.chown(staged, before.st_uid, before.st_gid)
    os.chmod(staged, mode)


def _is_stream(path: str | Path) -> bool:
    """Whether the path is something other than a file or a folder: a pipe, a device, a socket."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def _errors_name(path: str | Path) -> Iterator[None]:
    """Name the target, not a temporary path, in what the system says."""
    try:
        yield
    except OSError as error:
        if error.errno is None or not _mentions_staging(error.filename):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _mentions_staging(filename: object) -> bool:
    return isinstance(filename, str) and bool(_STAGING_NAME.search(filename))


def _locked_folder(parent: Path) -> tuple[Path, int | None]:
    """A new folder, and a lock that says its writer is alive: the system releases it with the process."""
    while True:
        folder = parent / f".glic-{secrets.token_hex(8)}.part"
        os.mkdir(folder)
        lock = _lock(folder, wait=True)
        if folder.is_dir():  # else another process took it for abandoned before it was locked
            return folder, lock
        _unlock(lock)


def _lock(folder: str | Path, *, wait: bool) -> int | None:
    """Lock a folder; ``None`` where another process holds the lock, or the file system knows no locks."""
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _unlock(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _remove_abandoned(parent: str | Path) -> None:
    """Remove staging folders of killed processes, once for each folder that this process writes to."""
    key = os.path.realpath(parent)
    if key in _cleaned:
        return
    _cleaned.add(key)
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if not _STAGING_NAME.fullmatch(entry.name) or not entry.is_dir(follow_symlinks=False):
                continue
            lock = _lock(entry.path, wait=False)
            if lock is not None:
                shutil.rmtree(entry.path, ignore_errors=True)
                _unlock(lock)
