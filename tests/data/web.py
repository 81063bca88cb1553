"""A small web server on this machine, with the faults that real ones have."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
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
        conditional: whether it honours If-Range.
        most: bytes of a range that it sends at most, correctly announced.
        total: whether it says how long the whole file is when it sends a part.
        headers: further ones, or others than the right ones; an empty one is left out.
        status: of an answer with the body.
        pause: seconds after every tenth of the body.
    """

    content: bytes
    ranges: bool = True
    etag: str | None = '"v1"'
    kind: str = "application/octet-stream"
    length: bool = True
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    shift: int = 0
    conditional: bool = True
    most: int | None = None
    total: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    pause: float = 0.0


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
        with suppress(ConnectionError):  # whoever has heard enough hangs up
            self._answer()

    def _answer(self) -> None:
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
        body = page.content[start : start + page.most if start and page.most else None]
        self._headers(page, start, len(body))
        body = body[: page.cuts.pop(0)] if page.cuts else body
        if not page.pause:
            self.wfile.write(body)
        for i in range(10 if page.pause else 0):
            self.wfile.write(body[i * len(body) // 10 : (i + 1) * len(body) // 10])
            time.sleep(page.pause)

    def _start(self, page: Page) -> int:
        same = not page.conditional or self.headers["If-Range"] in (None, page.etag)
        if not page.ranges or not same or self.headers["Range"] is None:
            return 0
        return int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")) + page.shift

    def _headers(self, page: Page, start: int, length: int) -> None:
        whole = len(page.content) if page.total else "*"
        headers = {
            "Content-Type": page.kind,
            "Content-Length": str(length) if page.length else "",
            "ETag": page.etag or "",
            "Content-Range": f"bytes {start}-{start + length - 1}/{whole}" if start else "",
            **page.headers,
        }
        self.send_response(page.status or (206 if start else 200))
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Silence."""
