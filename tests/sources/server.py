"""A small archive on loopback whose answers can be made to fail in every way that a network has."""

import threading
import time
import urllib.parse
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Archive:
    """Files by path (unquoted, with a leading slash) and what goes wrong with them.

    `faults[path]` is a list of words, one taken by each request until none is left:

        503       the status of that number (any number)
        drop      half of the body, then the connection is closed
        hang      no answer for `patience` seconds
        stall     half of the body, then nothing for `patience` seconds
        unsized   half of the body without a Content-Length
        elsewhere a partial answer that does not start where it was asked to
        short     half of the body with a Content-Length to match
        reset     the connection is closed before any answer
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range
    ranges: bool = True  # whether the server can resume
    versions: str = "strong"  # how it tells versions apart: ETag `strong` or `weak`, `date`, one `era`, or not at all
    encoded: bool = False  # whether it calls compressed files encoded
    patience: float = 1.0
    pace: float = 0.0  # seconds before each kilobyte
    address: str = ""
    busy: int = 0  # requests being answered
    busiest: int = 0  # the most at one time
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, path: str) -> int:
        """Requests for a path so far."""
        return sum(asked == path for asked, _ in self.requests)


@contextmanager
def serve() -> Iterator[Archive]:
    """Yield an archive at `archive.address`."""
    archive = Archive()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"archive": archive}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    archive.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    archive: Archive
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with self.archive.lock:
            self.archive.busy += 1
            self.archive.busiest = max(self.archive.busiest, self.archive.busy)
        try:
            self._serve()
        finally:
            with self.archive.lock:
                self.archive.busy -= 1

    def _serve(self) -> None:
        path = urllib.parse.unquote(self.path)
        self.archive.requests.append((path, self.headers.get("Range")))
        faults = self.archive.faults[path]
        fault = faults.pop(0) if faults else ""
        if fault == "reset":
            self.close_connection = True
            return
        if fault == "hang":
            time.sleep(self.archive.patience)
        body = self.archive.files.get(path)
        if fault.isdigit() or body is None:
            self._answer(int(fault or 404), b"", {})
            return
        self._body(body, fault)

    def _body(self, body: bytes, fault: str) -> None:
        tag, date = f'"{hash(body):x}"', f"Mon, 23 Nov 2026 {hash(body) % 24:02d}:00:00 GMT"
        if self.archive.versions == "era":
            date = "Mon, 23 Nov 2026 00:00:00 GMT"
        dated = {"Last-Modified": date}
        versions = {"strong": {"ETag": tag}, "weak": {"ETag": f"W/{tag}"}, "date": dated, "era": dated}
        headers = dict(versions.get(self.archive.versions, {}))
        if self.archive.encoded:
            headers["Content-Encoding"] = "gzip"
        status, start = 200, 0
        asked = self.headers.get("Range")
        if fault == "elsewhere":
            self._answer(206, body, headers | {"Content-Range": f"bytes 0-{len(body) - 1}/{len(body)}"})
            return
        if asked and self.archive.ranges and self.headers.get("If-Range") in (tag, date):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self._answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        rest = body[start:]
        if fault in ("short", "unsized"):
            rest = rest[: len(rest) // 2]
        sent = len(rest) // 2 if fault in ("drop", "stall") else None
        self._answer(status, rest, headers, sent, sized=fault != "unsized")
        if fault == "stall":
            time.sleep(self.archive.patience)
        if fault in ("drop", "stall", "unsized"):
            self.close_connection = True

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str], sent: int | None = None, *, sized: bool = True
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if sized:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        step = 1024 if self.archive.pace else 1 << 20
        try:
            for at in range(0, len(body[:sent]), step):
                time.sleep(self.archive.pace)
                self.wfile.write(body[:sent][at : at + step])
        except OSError:  # the client has gone
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
