"""HTTP connections of the downloads: a limit for each host, bytes exactly as they are stored."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests

from .. import __version__

CONNECT_TIMEOUT_S = 30.0


class Connections:
    """Requests from several threads, at most `per_host` of them to one host at a time.

    `timeout_s` is the longest silence of a server, not the longest transfer. A redirect counts
    for the host that was asked.
    """

    def __init__(self, per_host: int, timeout_s: float) -> None:
        self._timeouts = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._slots: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(per_host)
        )
        self._choosing = threading.Lock()
        self._silent: set[str] = set()
        self._of_thread = threading.local()

    @contextmanager
    def get(self, url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """The response to a GET, its body not read yet; the host's slot is held until the end."""
        with self._response("GET", url, headers) as response:
            yield response

    def size(self, url: str) -> int | None:
        """The file's size in bytes, from a HEAD request; None where the host does not tell."""
        if self.silent(url):
            return None
        try:
            with self._response("HEAD", url, {}) as response:
                length = response.headers.get("Content-Length", "")
                told = response.ok and length.isdigit() and not is_web_page(response)
                return int(length) or None if told else None  # some answer HEAD with a length of 0
        except requests.RequestException:
            return None

    def silent(self, url: str) -> bool:
        """Whether the host of `url` gave no answer at all when it was last asked."""
        return urlsplit(url).netloc in self._silent

    @contextmanager
    def _response(
        self, method: str, url: str, headers: dict[str, str]
    ) -> Iterator[requests.Response]:
        host = urlsplit(url).netloc
        with self._choosing:
            slot = self._slots[host]
        with slot:
            try:
                response = self._session().request(
                    method,
                    url,
                    headers=headers,
                    stream=True,
                    allow_redirects=True,
                    timeout=self._timeouts,
                )
            except requests.RequestException:
                self._silent.add(host)
                raise
            self._silent.discard(host)
            with response:
                yield response

    def _session(self) -> requests.Session:
        if not hasattr(self._of_thread, "session"):
            session = requests.Session()
            # Identity: a server must not pack the files anew; checksums are of the stored bytes.
            session.headers["Accept-Encoding"] = "identity"
            session.headers["User-Agent"] = f"selma3d/{__version__} {session.headers['User-Agent']}"
            self._of_thread.session = session
        return self._of_thread.session


def is_web_page(response: requests.Response) -> bool:
    """Whether a page came in place of a file: a log-in, or an error that calls itself success."""
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def without_secrets(url: str) -> str:
    """`url` as it may be shown and stored: no query, which may hold a token, and no password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
