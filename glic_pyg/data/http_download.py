"""One file over HTTP, in as many attempts as it takes."""

from __future__ import annotations

import errno
import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import glic_pyg
from glic_pyg.data.image_file import DataError

__all__ = ["Download", "Stopped"]

_CHUNK = 1 << 18
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_LOCAL_FAULTS = (errno.EACCES, errno.EDQUOT, errno.EIO, errno.ENOSPC, errno.EROFS)
_HEADERS = {"User-Agent": f"glic-pyg/{glic_pyg.__version__}", "Accept-Encoding": "identity"}


class Stopped(Exception):
    """The user wants no more."""


class _Cut(OSError):
    """The connection ended before the file did."""


class Download:
    """Fetches one URL into a partial file, and goes on with it where an earlier attempt was cut off.

    What the server said about the version of the file (ETag or Last-Modified) is kept beside the partial
    file, and the rest is asked for on the condition that it is still that version (RFC 9110, If-Range). A
    server that sends the whole file instead is taken at its word and the file begun anew; so it is when there
    is neither a version nor a checksum that would betray a file patched together from two.

    Args:
        url: http or https.
        partial: where to put what arrives; the version is kept in a file of this name plus ``.json``.
        verifiable: whether a checksum will be compared afterwards.
        progress: is called with bytes so far, and bytes in all or ``None``.
        stop: when set, the download ends between two chunks.
        attempts: fruitless attempts in a row before giving up.
        pause: seconds before the second attempt; doubled before each further one.
        timeout: seconds without a byte after which a connection counts as cut.
    """

    def __init__(
        self,
        url: str,
        partial: Path,
        verifiable: bool,
        progress: Callable[[int, int | None], None] = lambda done, total: None,
        stop: threading.Event | None = None,
        attempts: int = 5,
        pause: float = 1.0,
        timeout: float = 60.0,
    ) -> None:
        self.url = url
        self.partial = partial
        self.version_file = partial.with_name(partial.name + ".json")
        self.verifiable = verifiable
        self.progress = progress
        self.stop = stop or threading.Event()
        self.attempts = attempts
        self.pause = pause
        self.timeout = timeout

    def run(self) -> None:
        """Fetch the file, whole.

        Raises:
            DataError: the server refuses, or the connection fails again and again.
            Stopped: it was told to stop. As after an error, what arrived is kept.
        """
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        failures = 0
        while True:
            before = self._size()
            try:
                return self._attempt()
            except (OSError, http.client.HTTPException) as error:
                failures = 1 if self._size() > before else failures + 1
                if _is_final(error) or failures >= self.attempts:
                    raise DataError(f"{self.url}: {_reason(error)}.") from error
            if self.stop.wait(self.pause * 2 ** (failures - 1)):
                raise Stopped

    def _attempt(self) -> None:
        """Ask for what is missing and append it."""
        version = self._known_version()
        start = self._size() if version is not None or self.verifiable else 0
        headers = dict(_HEADERS)
        if start:
            headers["Range"] = f"bytes={start}-"
            if version:
                headers["If-Range"] = version
        try:
            request = urllib.request.Request(self.url, headers=headers)
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
                self._receive(response, start)
        except urllib.error.HTTPError as error:
            if error.code != 416 or not start:
                raise
            if error.headers.get("Content-Range") != f"bytes */{start}":  # else nothing was missing
                self.partial.unlink()
                raise _Cut("the server has no such rest of the file") from error

    def _receive(self, response: Any, start: int) -> None:
        if response.status != 206:
            start = 0  # the server begins at the beginning
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise _Cut("the server sent another part of the file than was asked for")
        if response.headers.get_content_type() == "text/html":
            raise DataError(
                f"{self.url}: a web page came instead of the file; open the address in a browser to see why."
            )
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        self._keep_version(response.headers)
        with self.partial.open("r+b" if start else "wb") as file:
            file.seek(start)
            done = start
            while chunk := response.read(_CHUNK):
                if self.stop.is_set():
                    raise Stopped
                file.write(chunk)
                done += len(chunk)
                self.progress(done, total)
        if total is not None and done < total:
            raise _Cut(f"the connection was cut after {done} of {total} bytes")

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _keep_version(self, headers: Any) -> None:
        etag = headers.get("ETag")
        version = headers.get("Last-Modified") if etag is None or etag.startswith("W/") else etag
        self.version_file.write_text(json.dumps({"url": self.url, "version": version}), encoding="utf-8")

    def _known_version(self) -> str | None:
        """Of the partial file; one that was fetched from another address is thrown away."""
        try:
            kept = json.loads(self.version_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        if kept.get("url") != self.url:
            self.partial.unlink(missing_ok=True)
            return None
        return kept.get("version")


def _is_final(error: Exception) -> bool:
    """Whether another attempt would end in the same way: the server's refusal, or a disk that is full."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code not in _TRANSIENT
    return isinstance(error, OSError) and error.errno in _LOCAL_FAULTS


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    return str(error) or type(error).__name__
