"""Downloads one file over HTTP, with retries and resumption."""

from __future__ import annotations

import errno
import http.client
import json
import os
import re
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import glic_pyg
from glic_pyg.errors import DataError

__all__ = ["MAX_BYTES", "Download", "Stopped"]

MAX_BYTES = 1 << 36
"""Default limit on the size of a file: 69 GB."""

_CHUNK = 1 << 18
_MOST_ATTEMPTS = 20  # times ``attempts``, for servers that give a little each time
_SLOWEST = 1024  # bytes per second
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_LOCAL_FAULTS = (errno.EACCES, errno.EDQUOT, errno.EIO, errno.ENOSPC, errno.EROFS)
_HEADERS = {"User-Agent": f"glic-pyg/{glic_pyg.__version__}", "Accept-Encoding": "identity"}
_RANGE = re.compile(r"\s*bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)\s*")


class Stopped(Exception):
    """The user stopped the download."""


class _Cut(OSError):
    """The connection ended before the file did."""


@dataclass(frozen=True)
class _Version:
    """Version of a file on the server: ``ETag``, ``Last-Modified``, total bytes; stored beside its part."""

    url: str
    etag: str | None = None
    modified: str | None = None
    total: int | None = None

    @property
    def condition(self) -> str | None:
        """Value of ``If-Range``: a strong ETag, or a date (RFC 9110)."""
        return self.modified if self.etag is None or self.etag.startswith("W/") else self.etag

    def or_else(self, other: _Version) -> _Version:
        """Fill unknown fields from another version."""
        etag, modified = self.etag or other.etag, self.modified or other.modified
        return _Version(self.url, etag, modified, self.total or other.total)

    def differs(self, other: _Version) -> bool:
        """Whether a field known to both differs."""
        pairs = ((self.etag, other.etag), (self.modified, other.modified), (self.total, other.total))
        return any(None not in pair and pair[0] != pair[1] for pair in pairs)


class Download:
    """Downloads one URL into a partial file, and continues it where an earlier attempt was cut off.

    What the server said about the version of the file is kept beside the partial file. The rest is asked for
    on the condition that it is still that version (RFC 9110, If-Range), and since not every server honours
    that, the version of the rest is compared too. A server that sends the whole file instead is taken at its
    word and the file begun again; so it is when there is neither a version nor a checksum that would betray
    a file patched together from two. The file is complete when it has the length the server stated for it.

    Args:
        url: http or https.
        partial: where to put what arrives; the version is kept in a file of this name plus ``.json``.
        verifiable: whether a checksum will be compared afterwards.
        progress: is called with bytes so far, and bytes in all or ``None``.
        stop: when set, the download ends between two chunks.
        size: bytes that the file must have, if known.
        max_bytes: bytes that it may have.
        attempts: fruitless attempts in a row before giving up.
        pause: seconds before the second attempt; doubled before each further one.
        timeout: seconds without a byte, or with fewer than 1024 bytes per second, after which a connection
            counts as cut.
    """

    def __init__(
        self,
        url: str,
        partial: Path,
        verifiable: bool,
        progress: Callable[[int, int | None], None] = lambda done, total: None,
        stop: threading.Event | None = None,
        size: int | None = None,
        max_bytes: int = MAX_BYTES,
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
        self.size, self.max_bytes = size, max_bytes
        self.attempts = attempts
        self.pause = pause
        self.timeout = timeout

    def run(self) -> None:
        """Download the whole file.

        Raises:
            DataError: the server refuses or makes no sense, the file is too large, or the connection fails
                again and again.
            Stopped: it was told to stop. As after an error, what arrived is kept.
        """
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        failures = 0
        for attempt in range(_MOST_ATTEMPTS * self.attempts):
            before = self._size()
            try:
                return self._attempt()
            except (OSError, http.client.HTTPException) as error:
                failures = 1 if self._size() > before else failures + 1
                last = attempt + 1 == _MOST_ATTEMPTS * self.attempts
                if last or _is_final(error) or failures >= self.attempts:
                    raise DataError(f"{self.url}: {_reason(error)}.") from error
            except ValueError as error:  # an address or a header that Python's HTTP cannot parse
                raise DataError(
                    f"{self.url}: the server's answer makes no sense ({_reason(error)})."
                ) from error
            if self.stop.wait(self.pause * 2 ** (failures - 1)):
                raise Stopped

    def discard(self) -> None:
        """Remove the partial file."""
        self.partial.unlink(missing_ok=True)
        self.version_file.unlink(missing_ok=True)

    def _attempt(self) -> None:
        """Request the missing bytes and append them."""
        known = self._known_version()
        start = self._size() if known.condition is not None or self.verifiable else 0
        headers = dict(_HEADERS)
        if start:
            headers["Range"] = f"bytes={start}-"
            if known.condition:
                headers["If-Range"] = known.condition
        opener = urllib.request.build_opener(_Redirects(self.verifiable))
        try:
            request = urllib.request.Request(self.url, headers=headers)
            with opener.open(request, timeout=self.timeout) as response:
                self._receive(response, start, known)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 416 or not start:
                raise
            if error.headers.get("Content-Range", "").split() != ["bytes", f"*/{start}"]:
                self.discard()  # else nothing was missing
                raise _Cut("the server has no such rest of the file") from error

    def _receive(self, response: Any, start: int, known: _Version) -> None:
        if fault := _fault(response):
            raise DataError(f"{self.url}: {fault}.")
        if response.status == 206:
            first, total = _content_range(response.headers)
            if first != start or (total is not None and total <= start):
                raise _Cut("the server sent another part of the file than was asked for")
        else:
            start, total = 0, _length(response.headers.get("Content-Length"))
        etag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
        version = _Version(self.url, etag, modified, total)
        if start and known.differs(version):
            self.discard()
            raise _Cut("the file changed on the server in the meantime")
        if start:
            version = version.or_else(known)
        total = version.total
        self._check_room(start, total)
        self.version_file.write_text(json.dumps(asdict(version)), encoding="utf-8")
        done = self._append(response, start, total)
        if total is not None and done < total:
            raise _Cut(f"the connection was cut after {done} of {total} bytes")
        if total is None and response.status == 206:
            raise _Cut("the server does not say how long the file is")
        if done == 0:
            raise DataError(f"{self.url}: the server sent an empty file.")

    def _append(self, response: Any, start: int, total: int | None) -> int:
        """Append what arrives to the first ``start`` bytes on disk; return the new size."""
        with self.partial.open("r+b" if start else "wb") as file:
            file.seek(start)
            done, checked, since = start, start, time.monotonic()
            while (total is None or done < total) and (chunk := response.read1(_CHUNK)):
                if self.stop.is_set():
                    raise Stopped
                done += file.write(chunk if total is None else chunk[: total - done])
                self._check_room(done, None)
                self.progress(done, total)
                if (now := time.monotonic()) - since > self.timeout:
                    if done - checked < _SLOWEST * (now - since):
                        raise _Cut(f"the server sent {done - checked} bytes in {now - since:.0f} seconds")
                    checked, since = done, now
            file.flush()
            os.fsync(file.fileno())
        return done

    def _check_room(self, done: int, total: int | None) -> None:
        """Refuse a file that is too large, removing its part, or that does not fit on the disk."""
        largest = max(done, total or 0)
        if self.size is not None and (largest > self.size or total not in (None, self.size)):
            self.discard()
            raise DataError(f"{self.url}: the file has {largest} bytes, not {self.size} as the list says.")
        if largest > self.max_bytes:
            self.discard()
            raise DataError(
                f"{self.url}: the file has {largest} bytes or more and {self.max_bytes} are allowed; "
                "allow more with --max-bytes if you trust it."
            )
        if total is not None and total - done > (free := shutil.disk_usage(self.partial.parent).free):
            raise DataError(
                f"{self.url}: {total - done} bytes are to come and {free} are free on the disk; make room."
            )

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _known_version(self) -> _Version:
        """Read the version of the partial file; a part from another address is removed."""
        try:
            kept = _Version(**json.loads(self.version_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            kept = _Version("")
        texts = (kept.url, kept.etag, kept.modified)
        sound = all(isinstance(text, str | None) for text in texts) and isinstance(kept.total, int | None)
        if kept.url != self.url or not sound:
            self.discard()
            return _Version(self.url)
        return kept


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to other web addresses only, and out of https only where a checksum is compared."""

    def __init__(self, verifiable: bool) -> None:
        self.verifiable = verifiable

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """See the base class; raises ValueError where the redirect leads elsewhere."""
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before, after, self.verifiable) == ("https", "http", False):
            raise ValueError(f"it redirects from {before} to {after[:20]}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """See the base class, which leaves the connection open where it fails."""
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except Exception:
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _fault(response: Any) -> str | None:
    """Return why the body of an answer is not the file, or a part of it, as stored on the server."""
    if response.headers.get_content_type() == "text/html":
        return "a web page came instead of the file; open the address in a browser to see why"
    coding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
    if coding != "identity":
        return f"the server sent the file compressed ({coding[:40]}), unasked"
    return None if response.status in (200, 203, 206) else f"the server answers {response.status}, no file"


def _content_range(headers: Any) -> tuple[int, int | None]:
    """Parse a ``Content-Range``: first byte of the part, and bytes of the whole file if known."""
    match = _RANGE.fullmatch(headers.get("Content-Range") or "")
    if match is None:
        raise _Cut("the server sent a part of the file and does not say which")
    return int(match[1]), None if match[3] == "*" else int(match[3])


def _length(text: str | None) -> int | None:
    """Parse a ``Content-Length``; ``None`` where it is absent or invalid."""
    return int(text) if text is not None and re.fullmatch(r"\s*\d{1,18}\s*", text, re.ASCII) else None


def _is_final(error: Exception) -> bool:
    """Whether a retry would fail in the same way: the server refuses, or the disk is full."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code not in _TRANSIENT
    if isinstance(error, http.client.InvalidURL):
        return True
    return isinstance(error, OSError) and error.errno in _LOCAL_FAULTS


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        text = f"the server answers {error.code} {error.reason}"
    elif isinstance(error, urllib.error.URLError):
        text = f"no connection ({error.reason})"
    else:
        text = str(error) or type(error).__name__
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:300].rstrip(".")
