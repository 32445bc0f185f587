"""A web server on the loopback that fails in the ways that public servers do, on demand.

Faults are put in line for a path; each request for it takes the next one, and when the line is
empty the server behaves. What it sent is on record, so that a test can count bytes.
"""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import quote, unquote, urlsplit

FAULTS = (
    "drop",  # the connection ends in mid-file
    "reset",  # the same, rudely
    "unavailable",  # 503
    "busy",  # 429 with a Retry-After
    "wrong bytes",  # the right length, another content
    "no range",  # a range is asked for, the whole file comes
    "wrong range",  # another range than the one asked for
    "truncated",  # a shorter file, with the length that it has
    "too long",
    "redirect",
    "slow",
    "stall",  # silence in mid-file
    "web page",  # 200, but a page that asks for a log-in
)
STALL_S = 2.0  # the longest silence; a client under test gives up earlier
BLOCK = 1 << 14


@dataclass
class Request:
    """One request as the server saw it; whether it sent a range, and how many bytes of a body."""

    method: str
    path: str
    range_header: str | None
    encodings: str | None = None
    partial: bool = False
    sent: int = 0


@dataclass
class MisbehavingServer:
    """Serves `files` (URL path without its slash -> content); `faults[path]` wait in line.

    `rate` limits every response, in bytes a second. `ranges` False: a server without ranges.
    `validators` False: neither ETag nor Last-Modified. `head` False: HEAD is not allowed.
    `lengths` False: a body ends where the connection does. `encoding` labels every file.
    """

    files: dict[str, bytes]
    rate: float | None = None
    latency_s: float = 0.0
    ranges: bool = True
    validators: bool = True
    head: bool = True
    lengths: bool = True
    encoding: str | None = None
    retry_after: str = "0"
    faults: defaultdict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    requests: list[Request] = field(default_factory=list)
    most_at_once: int = 0

    def __enter__(self) -> MisbehavingServer:
        self._at_once = 0
        self._counting = threading.Lock()
        self._closing = threading.Event()
        server = self

        class Handler(_Handler):
            site = server

        self._http = _Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def sent(self, path: str | None = None) -> int:
        """Bytes of bodies sent so far, of one path or of all."""
        return sum(request.sent for request in self.requests if path in {None, request.path})

    def etag(self, path: str) -> str:
        return f'"{hashlib.md5(self.files[path]).hexdigest()}"'

    def began(self, request: Request) -> None:
        with self._counting:
            self.requests.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)

    def ended(self) -> None:
        with self._counting:
            self._at_once -= 1

    def pause(self, seconds: float) -> None:
        self._closing.wait(seconds)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Broken connections are what this server is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    site: MisbehavingServer

    def log_message(self, *_: object) -> None:
        """Silence: a test reads `requests` instead."""

    def do_HEAD(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/")
        self.site.requests.append(Request("HEAD", path, None))
        if path not in self.site.files:
            self._refuse(404)
        elif not self.site.head:
            self._refuse(405)
        else:
            self._headers(200, path, len(self.site.files[path]))

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/").removeprefix("moved/")
        wanted = self.headers.get("Accept-Encoding")
        request = Request("GET", path, self.headers.get("Range"), wanted)
        self.site.began(request)
        try:
            self.site.pause(self.site.latency_s)
            self._answer(path, request)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        finally:
            self.site.ended()

    def _answer(self, path: str, request: Request) -> None:
        line = self.site.faults[path]
        fault = line.popleft() if line else ""
        if path not in self.site.files:
            self._refuse(404)
        elif fault == "unavailable":
            self._refuse(503)
        elif fault == "busy":
            self._refuse(429, {"Retry-After": self.site.retry_after})
        elif fault == "redirect":
            self._refuse(302, {"Location": f"/moved/{quote(path)}"})
        elif fault == "web page":
            self._page(b"<html>please log in</html>")
        else:
            self._send_file(path, request, fault)

    def _send_file(self, path: str, request: Request, fault: str) -> None:
        content = self.site.files[path]
        if fault == "wrong bytes":
            content = bytes(byte ^ 0xFF for byte in content[:64]) + content[64:]
        elif fault == "truncated":
            content = content[: len(content) // 2]
        elif fault == "too long":
            content += b"more"
        start = self._range_start(path, fault)
        if start is not None and start >= len(content):
            self._refuse(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        body = content[start or 0 :]
        if start is not None and fault == "wrong range":
            body, start = content, 0
        request.partial = start is not None
        span = None if start is None else f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._headers(200 if start is None else 206, path, len(body), span)
        self._send(body, request, fault)

    def _range_start(self, path: str, fault: str) -> int | None:
        asked = self.headers.get("Range")
        condition = self.headers.get("If-Range")
        if asked is None or not self.site.ranges or fault == "no range":
            return None
        if condition not in {None, self.site.etag(path)}:
            return None
        return int(asked.removeprefix("bytes=").rstrip("-"))

    def _headers(self, status: int, path: str, length: int, span: str | None = None) -> None:
        self.send_response(status)
        if self.site.lengths:
            self.send_header("Content-Length", str(length))
        else:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.send_header("Content-Type", "application/octet-stream")
        if self.site.validators:
            self.send_header("ETag", self.site.etag(path))
        if self.site.encoding:
            self.send_header("Content-Encoding", self.site.encoding)
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()

    def _send(self, body: bytes, request: Request, fault: str) -> None:
        began = time.monotonic()
        for start in range(0, len(body), BLOCK):
            block = body[start : start + BLOCK]
            if fault in {"drop", "reset", "stall"} and start + len(block) > len(body) // 2:
                if fault == "stall":
                    self.site.pause(STALL_S)
                self._break_off(rudely=fault == "reset")
                return
            if fault == "slow":
                self.site.pause(0.005)
            self.wfile.write(block)
            request.sent += len(block)
            if self.site.rate:
                self.site.pause(began + request.sent / self.site.rate - time.monotonic())

    def _break_off(self, *, rudely: bool) -> None:
        self.wfile.flush()
        if rudely:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _refuse(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _page(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
