"""A small web server on this machine, with the faults that real ones have."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What the server has at one address.

    Attributes:
        content: the bytes.
        ranges: whether it can send a part.
        etag: version that it announces, if any.
        cuts: after how many bytes of the body each of the first answers breaks off.
        statuses: codes of refusals before the first real answer.
        shift: bytes by which it misses the range it is asked for.
    """

    content: bytes
    ranges: bool = True
    etag: str | None = '"v1"'
    kind: str = "application/octet-stream"
    length: bool = True
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    shift: int = 0


@dataclass
class Web:
    """A running server.

    Attributes:
        url: its address, without a slash at the end.
        pages: by path.
        requests: (path, Range header or None) of every request so far.
    """

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def add(self, path: str, content: bytes, **options: object) -> str:
        """Put something there, and return its URL."""
        self.pages[path] = Page(content, **options)  # type: ignore[arg-type]
        return f"{self.url}{path}"


@contextmanager
def serve() -> Iterator[Web]:
    """Run a server while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.web = Web(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.web  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        web: Web = self.server.web  # type: ignore[attr-defined]
        web.requests.append((self.path, self.headers["Range"]))
        page = web.pages.get(self.path)
        if page is None:
            return self.send_error(404)
        if page.statuses:
            return self.send_error(page.statuses.pop(0))
        start = self._start(page)
        if start >= len(page.content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(page.content)}")
            return self.end_headers()
        body = page.content[start:]
        self._headers(page, start, len(body))
        self.wfile.write(body[: page.cuts.pop(0)] if page.cuts else body)

    def _start(self, page: Page) -> int:
        same = self.headers["If-Range"] in (None, page.etag)
        if not page.ranges or not same or self.headers["Range"] is None:
            return 0
        return int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")) + page.shift

    def _headers(self, page: Page, start: int, length: int) -> None:
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", page.kind)
        if page.length:
            self.send_header("Content-Length", str(length))
        if page.etag:
            self.send_header("ETag", page.etag)
        if start:
            end = len(page.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Silence."""
