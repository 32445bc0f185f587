"""Partial downloads: the bytes of one URL that have arrived, and whether they can be continued."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import requests

from ..system import atomic
from .connections import without_secrets


class PartialDownload:
    """The bytes of one URL that have arrived, in `<folder>/<hash>.part`.

    The name is a hash, so that no name from outside decides where a part lies. A note beside it
    holds the server's validator (ETag or Last-Modified): with it, a continued transfer cannot
    join two versions of a file. The note is written before the first byte.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.file = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:24]}.part"
        self._note = self.file.with_suffix(".json")
        self._url = url

    @property
    def size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def begin(self, response: requests.Response) -> None:
        """Forget what arrived before; what follows is the body of `response`."""
        self.discard()
        with atomic.publish(self._note) as temporary:
            note = {"url": without_secrets(self._url), "validator": _validator(response)}
            temporary.write_text(json.dumps(note))

    def range_headers(self, *, verifiable: bool) -> dict[str, str]:
        """Headers that ask for the rest; empty where the transfer has to start again.

        Without a validator only a file with a known checksum (`verifiable`) is continued.
        """
        size = self.size
        if not size or not self._note.exists():
            return {}
        validator = json.loads(self._note.read_text())["validator"]
        if validator:
            return {"Range": f"bytes={size}-", "If-Range": validator}
        return {"Range": f"bytes={size}-"} if verifiable else {}

    def write(self, blocks: Iterable[bytes]) -> None:
        """Append, block by block; a block that was written outlives a kill of this process."""
        with self.file.open("ab") as stream:
            for block in blocks:
                stream.write(block)
                stream.flush()

    def discard(self) -> None:
        self.file.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


def _validator(response: requests.Response) -> str | None:
    """What If-Range may carry: a strong ETag, else Last-Modified (RFC 9110, 13.1.5)."""
    etag = response.headers.get("ETag", "")
    if etag.startswith('"'):
        return etag
    return response.headers.get("Last-Modified")
