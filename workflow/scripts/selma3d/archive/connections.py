"""HTTP connections of the downloads: a limit for each host, bytes exactly as they are stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from .. import __version__

CONNECT_TIMEOUT_S = 30.0


class Connections:
    """Requests from several threads, at most `per_host` of them to one host at a time.

    `timeout_s` is the longest silence of a server, not the longest transfer. A redirect counts
    for the host that it leads to.
    """

    def __init__(self, per_host: int, timeout_s: float) -> None:
        self._timeouts = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._silent: set[str] = set()
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=per_host, pool_block=True))
        # Identity: a server must not pack the files anew; checksums are of the stored bytes.
        self._session.headers["Accept-Encoding"] = "identity"
        agent = self._session.headers["User-Agent"]
        self._session.headers["User-Agent"] = f"selma3d/{__version__} {agent}"

    @contextmanager
    def response(
        self, url: str, headers: dict[str, str], method: str = "GET"
    ) -> Iterator[requests.Response]:
        """The response, its body not read yet; its connection is held until the end."""
        host = urlsplit(url).netloc
        try:
            response = self._session.request(
                method, url, headers=headers, stream=True, timeout=self._timeouts
            )
        except requests.RequestException:
            self._silent.add(host)
            raise
        self._silent.discard(host)
        with response:
            yield response

    def size(self, url: str) -> int | None:
        """The file's size in bytes, from a HEAD request; None where the host does not tell."""
        if self.silent(url):
            return None
        try:
            with self.response(url, {}, "HEAD") as response:
                length = response.headers.get("Content-Length", "")
                told = response.ok and length.isdigit() and not is_web_page(response)
                return int(length) or None if told else None  # some answer HEAD with a length of 0
        except requests.RequestException:
            return None

    def silent(self, url: str) -> bool:
        """Whether the host of `url` gave no answer at all when it was last asked."""
        return urlsplit(url).netloc in self._silent


def is_web_page(response: requests.Response) -> bool:
    """Whether a page came in place of a file: a log-in, or an error that calls itself success."""
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def without_secrets(url: str) -> str:
    """`url` as it may be shown and stored: no query, which may hold a token, and no password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
