"""Fetching a list of files into a folder: checked, several at a time, and only what is not there yet."""

from __future__ import annotations

import filecmp
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from glic_pyg.data.archive import unpack
from glic_pyg.data.fetch_list import Remote
from glic_pyg.data.fetch_record import Fetched, FetchRecord, sha256_of
from glic_pyg.data.http_download import Download, Stopped
from glic_pyg.data.image_file import DataError

__all__ = ["Fetcher", "Outcome"]


class Outcome(NamedTuple):
    """How it went with one file.

    Attributes:
        file: which.
        text: what was done, or the sentence that says why it failed.
        good: whether it is there now.
    """

    file: Remote
    text: str
    good: bool


class Fetcher:
    """Fetches files into a folder.

    A file appears under its name only when it is whole and its checksum is right. Where the list has no
    checksum, that of the first fetch is noted in the folder's record and compared from then on. What has
    arrived of an unfinished file stays in ``.parts`` for the next time.

    Args:
        folder: is made if it is not there.
        force: fetch again what is there, and write over it.
        progress: is called from several threads with a file, its bytes so far, and in all or ``None``.
        options: further arguments of :class:`Download`.

    Raises:
        DataError: the folder's record is damaged.
    """

    def __init__(
        self,
        folder: Path,
        force: bool = False,
        progress: Callable[[Remote, int, int | None], None] = lambda file, done, total: None,
        **options: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.parts = folder / ".parts"
        self.force = force
        self.progress = progress
        self.options = options
        self.record = FetchRecord(folder)
        self._recording = threading.Lock()
        self._stop = threading.Event()

    def run(self, files: Sequence[Remote], jobs: int = 4) -> Iterator[Outcome]:
        """Fetch files, `jobs` at a time; one that fails does not keep the others from it.

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
        except (DataError, OSError) as error:
            return Outcome(file, str(error), False)

    def fetch(self, file: Remote) -> str:
        """Fetch one file, unless it is there; returns a word or two about it.

        Raises:
            DataError: it cannot be had, or is not what it should be, or another file is in its place.
        """
        if not self.force and self._is_there(file):
            return "already there"
        partial = self.parts / f"{quote(file.name, safe='')}.part"
        known = file.sha256 is not None
        download = Download(
            file.url, partial, known, lambda *bytes_: self.progress(file, *bytes_), self._stop, **self.options
        )
        download.run()
        digest = sha256_of(partial)
        try:
            self._verify(file, digest, partial.stat().st_size)
            kept = self._place(file, partial)
        finally:
            partial.unlink(missing_ok=True)
            download.version_file.unlink(missing_ok=True)
        self._note(file, digest, kept)
        return f"{len(kept)} files unpacked" if file.members else "fetched"

    def _is_there(self, file: Remote) -> bool:
        """Whether the file was fetched before, or lies there with the right checksum.

        Raises:
            DataError: another file has its name.
        """
        entry = self.record.files.get(file.name)
        if entry is not None and file.sha256 in (None, entry.sha256) and self.record.is_there(file.name):
            return True
        target = self.folder / file.name
        if file.members or not target.exists():
            return False
        if file.sha256 and sha256_of(target) == file.sha256:
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
        """Put a file, or what is in it, where it belongs."""
        target = self.folder / file.name
        if file.members is None:
            target.parent.mkdir(parents=True, exist_ok=True)
            return [partial.replace(target)]
        unpacked = partial.with_name(f"{partial.name}.unpacked")
        unpacked.mkdir(exist_ok=True)
        try:
            return [self._move(path) for path in unpack(partial, file.members, unpacked)]
        finally:
            shutil.rmtree(unpacked)

    def _move(self, path: Path) -> Path:
        target = self.folder / path.name
        if target.exists() and not self.force and not filecmp.cmp(path, target, shallow=False):
            raise DataError(f"{target} is not the file of the archive; move it away, or fetch with --force.")
        return path.replace(target)

    def _note(self, file: Remote, digest: str, kept: Sequence[Path]) -> None:
        sizes = {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in kept}
        with self._recording:
            self.record.add(file.name, Fetched(file.url, digest, sizes))
