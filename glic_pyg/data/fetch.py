"""Fetches a list of files into a folder: verified, concurrently, and only those that are missing."""

from __future__ import annotations

import filecmp
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from glic_pyg.data.archive import unpack
from glic_pyg.data.download import MAX_BYTES, Download, Stopped
from glic_pyg.data.fetch_list import Remote, is_name_below
from glic_pyg.errors import DataError
from glic_pyg.files import publish, write_file

__all__ = ["RECORD_NAME", "FetchRecord", "Fetched", "Fetcher", "Outcome", "changed_files"]

RECORD_NAME = ".glic-data.json"
_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Fetched:
    """One file that was fetched.

    Attributes:
        url: where from.
        sha256: its checksum.
        kept: bytes of every file it became, by name: itself, or what was unpacked from it.
    """

    url: str
    sha256: str
    kept: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = self.kept.items() if isinstance(self.kept, dict) else [("", "")]
        if (
            not isinstance(self.url, str)
            or not _SHA256.fullmatch(self.sha256)
            or not all(is_name_below(name) and isinstance(size, int) for name, size in kept)
        ):
            raise ValueError("no record of a file")


class FetchRecord:
    """Record of the files fetched into a folder, with checksums: trusted on first use, compared afterwards.

    Args:
        folder: the folder, with a JSON file in it; without one nothing was fetched yet.

    Raises:
        DataError: the record cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / RECORD_NAME
        self.files: dict[str, Fetched] = {}
        if self.path.exists():
            try:
                content = json.loads(self.path.read_text(encoding="utf-8"))
                if content["version"] != _VERSION:
                    raise ValueError("another version")
                self.files = {name: Fetched(**entry) for name, entry in content["files"].items()}
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise DataError(
                    f"{self.path} is damaged; remove it, and what it lists is checked anew."
                ) from error

    def add(self, name: str, fetched: Fetched) -> None:
        """Add a file; the record on disk is replaced atomically."""
        self.files[name] = fetched
        entries = {name: asdict(entry) for name, entry in sorted(self.files.items())}
        write_file(self.path, json.dumps({"version": _VERSION, "files": entries}, indent=1) + "\n")

    def is_there(self, name: str) -> bool:
        """Whether all files that a fetched file produced are in the folder, with the right sizes."""
        entry = self.files.get(name)
        return entry is not None and all(
            (self.folder / kept).is_file() and (self.folder / kept).stat().st_size == size
            for kept, size in entry.kept.items()
        )


def changed_files(folder: Path) -> list[str]:
    """Return a line for each file of ``glic data get`` that has changed since it was fetched.

    Files that were unpacked from an archive have no checksum of their own; their size is compared.

    Raises:
        DataError: the folder's record is damaged.
    """
    record = FetchRecord(folder)
    lines = []
    for name, entry in record.files.items():
        if not record.is_there(name):
            lines.append(f"{folder / name}: missing, or not of the size that was fetched")
        elif name in entry.kept and _sha256(folder / name) != entry.sha256:
            lines.append(f"{folder / name}: not the bytes that were fetched")
    return lines


class Outcome(NamedTuple):
    """Result of fetching one file.

    Attributes:
        file: which.
        text: what was done, or the sentence that says why it failed.
        good: whether it is there now.
    """

    file: Remote
    text: str
    good: bool


class _Occupied(DataError):
    """Another file has the name of a fetched one."""


class Fetcher:
    """Fetches files into a folder.

    A file appears under its name only when it is whole and its checksum is right. Where the list has no
    checksum, that of the first fetch is noted in the folder's record and compared from then on. What has
    arrived of an unfinished file stays in ``.parts`` for the next time.

    Args:
        folder: is made if it is not there.
        force: fetch again what is there, and write over it.
        progress: is called from several threads with a file, its bytes so far, and in all or ``None``.
        max_bytes: what a file may have, and what an archive may unpack to.
        options: further arguments of :class:`Download`.

    Raises:
        DataError: the folder's record is damaged.
    """

    def __init__(
        self,
        folder: Path,
        force: bool = False,
        progress: Callable[[Remote, int, int | None], None] = lambda file, done, total: None,
        max_bytes: int = MAX_BYTES,
        **options: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.parts = folder / ".parts"
        self.force = force
        self.progress = progress
        self.max_bytes = max_bytes
        self.options = options
        self.record = FetchRecord(folder)
        self._recording = threading.Lock()
        self._stop = threading.Event()

    def run(self, files: Sequence[Remote], jobs: int = 4) -> Iterator[Outcome]:
        """Fetch files, `jobs` at a time; the failure of one does not stop the others.

        When the caller goes no further, as after Ctrl-C, the downloads under way end.
        """
        with ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(self._outcome, file) for file in files]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
        with suppress(OSError):  # something unfinished is still in it, or it was not needed
            self.parts.rmdir()

    def _outcome(self, file: Remote) -> Outcome:
        try:
            return Outcome(file, self.fetch(file), True)
        except Stopped:
            return Outcome(file, f"{file.url}: stopped.", False)
        except DataError as error:
            return Outcome(file, str(error), False)
        except OSError as error:
            return Outcome(file, f"{file.name}: {error.strerror or error}.", False)
        except Exception as error:  # whatever a server or an archive makes a library do
            reason = " ".join(str(error).split())
            return Outcome(file, f"{file.url}: {type(error).__name__}: {reason}.", False)

    def fetch(self, file: Remote) -> str:
        """Fetch one file unless it is there; return a short status.

        Raises:
            DataError: it cannot be had, or is not what it should be, or another file is in its place.
            OSError: it cannot be written.
        """
        if not self.force and self._is_there(file):
            return "already there"
        partial = self.parts / f"{hashlib.sha256(file.name.encode()).hexdigest()[:32]}.part"
        download = Download(
            file.url,
            partial,
            file.sha256 is not None,
            lambda *bytes_: self.progress(file, *bytes_),
            self._stop,
            file.size,
            self.max_bytes,
            **self.options,
        )
        download.run()
        digest = _sha256(partial)
        try:
            self._verify(file, digest, partial.stat().st_size)
            kept = self._place(file, partial)
        except _Occupied:
            raise  # what was downloaded will be needed
        except DataError:
            download.discard()
            raise
        self._note(file, digest, kept)
        download.discard()
        return f"{len(kept)} files unpacked" if file.members else "fetched"

    def _is_there(self, file: Remote) -> bool:
        """Whether the file was fetched before, or exists with the right checksum.

        Raises:
            DataError: another file has its name.
        """
        entry = self.record.files.get(file.name)
        if entry is not None and file.sha256 in (None, entry.sha256) and self.record.is_there(file.name):
            return True
        target = self.folder / file.name
        if file.members or not target.exists():
            return False
        if file.sha256 and _sha256(target) == file.sha256:
            self._note(file, file.sha256, [target])
            return True
        raise DataError(f"{target} is not the file of the list; move it away, or fetch with --force.")

    def _verify(self, file: Remote, digest: str, size: int) -> None:
        entry = self.record.files.get(file.name)
        first = entry.sha256 if entry is not None and not self.force else None
        expected = file.sha256 or first
        if expected is not None and digest != expected:
            origin = "the list says" if file.sha256 else "when it was first fetched"
            raise DataError(
                f"{file.url}: the checksum is {digest}, not {expected} as {origin}; what came was "
                "thrown away; try again, or ask where the file comes from."
            )
        if file.size is not None and size != file.size:
            raise DataError(f"{file.url}: {size} bytes came, not {file.size} as the list says; try again.")

    def _place(self, file: Remote, partial: Path) -> list[Path]:
        """Move a file, or what it unpacks to, into the folder."""
        if file.members is None:
            target = self.folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            publish(partial, target, overwrite=self.force)
            return [target]
        unpacked = partial.with_suffix(".unpacked")
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()
        try:
            paths = unpack(partial, file.members, unpacked, self.max_bytes, file.name)
            return self._move(paths)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)

    def _move(self, paths: Sequence[Path]) -> list[Path]:
        """Move all unpacked files that can be moved into the folder."""
        occupied = []
        for path in paths:
            target = self.folder / path.name
            if self.force or not target.exists():
                publish(path, target, overwrite=self.force)
            elif not filecmp.cmp(path, target, shallow=False):
                occupied.append(target)
        if occupied:
            more = f" (and {len(occupied) - 1} more are not)" if len(occupied) > 1 else ""
            raise _Occupied(
                f"{occupied[0]} is not the file of the archive{more}; move it away, or fetch with --force."
            )
        return [self.folder / path.name for path in paths]

    def _note(self, file: Remote, digest: str, kept: Sequence[Path]) -> None:
        sizes = {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in kept}
        with self._recording:
            self.record.add(file.name, Fetched(file.url, digest, sizes))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
