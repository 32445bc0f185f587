"""Download of one file from its mirrors: continued after any interruption, retried, verified."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import requests
import urllib3

from ..system.errors import InputError
from .archive_folder import require_room
from .connections import Connections, is_web_page, without_secrets
from .manifest import Entry
from .many_files import StoppedError
from .partial_download import PartialDownload

log = logging.getLogger(__name__)

BLOCK_BYTES = 1 << 16  # what a kill can lose of a transfer
PROGRESS_BYTES = 1 << 20  # a broken transfer that brought this much more is not a failed one
ROOM_BYTES = 1 << 24  # after so many more, the free disk is looked at again
LONGEST_PAUSE_S = 60.0
LONGEST_RETRY_AFTER_S = 600.0
_TEMPORARY = {408, 425, 429}  # of the 4xx; the others will not change
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class _TransferError(Exception):
    """A transfer failed; another attempt may succeed."""


class _RefusedError(Exception):
    """A mirror does not have the file, and will not have it on another attempt."""


@dataclass(frozen=True)
class DownloadSettings:
    """Settings of a download.

    workers: files at a time, of which `per_host` from one server. retries: after the first attempt
    at a file. min_free_bytes: room that is left on the disk. timeout_s: a server's longest silence.
    """

    workers: int = 4
    per_host: int = 4
    retries: int = 5
    min_free_bytes: int = 0
    first_pause_s: float = 1.0
    timeout_s: float = 60.0

    def pause_s(self, turn: int) -> float:
        """The pause before another attempt: it doubles, and varies by half.

        So several transfers that broke together do not come back together.
        """
        return min(self.first_pause_s * 2**turn, LONGEST_PAUSE_S) * random.uniform(0.5, 1.0)


DEFAULT = DownloadSettings()


class _Mirror:
    def __init__(self, url: str, parts: Path) -> None:
        self.url = url
        self.shown = without_secrets(url)
        self.part = PartialDownload(parts, url)
        self.furthest = self.part.size
        self.not_before = 0.0
        self.refused = False
        self.fault = "not asked"

    def made_progress(self) -> bool:
        """Whether the last attempt brought new bytes; each byte counts once, so this ends."""
        gained = self.part.size - self.furthest
        self.furthest = max(self.furthest, self.part.size)
        return gained >= PROGRESS_BYTES


@dataclass(frozen=True)
class Downloader:
    """What all files of one archive share.

    `arrived(path, size, new)` is told of every block: how much of `path` is there, how much is new.
    `settings.min_free_bytes` stay free on the disk of `parts`, whatever a server sends;
    `most_bytes` is the most of any file.
    """

    connections: Connections
    settings: DownloadSettings
    parts: Path
    arrived: Callable[[str, int, int], None]
    stop: Event
    most_bytes: int | None = None

    def download(self, entry: Entry, urls: Sequence[str]) -> tuple[PartialDownload, Entry]:
        """The file that `entry` describes, whole and verified, under a temporary name.

        A mirror is asked again as long as it brings more; then the next one is. After a turn
        through all of them comes a pause, longer each time. InputError, with every mirror's last
        fault, where the turns are used up or no mirror has the file; and where the disk is full but
        for its reserve.
        """
        # The preferred one first, but a dead host would cost every file its time-out.
        mirrors = [_Mirror(url, self.parts) for url in sorted(urls, key=self.connections.silent)]
        for turn in range(self.settings.retries + 1):
            if turn:
                self._pause(turn - 1, [mirror for mirror in mirrors if not mirror.refused])
            for mirror in mirrors:
                if mirror.refused or mirror.not_before > time.monotonic():
                    continue
                found = self._ask(entry, mirror)
                if found is not None:
                    for other in mirrors:
                        if other is not mirror:
                            other.part.discard()
                    return mirror.part, found
            if all(mirror.refused for mirror in mirrors):
                break
        faults = "; ".join(f"{mirror.shown}: {mirror.fault}" for mirror in mirrors)
        raise InputError(f"{entry.path}: not downloaded: {faults}")

    def _pause(self, turn: int, mirrors: Sequence[_Mirror]) -> None:
        until_asked_for = min(mirror.not_before for mirror in mirrors) - time.monotonic()
        if self.stop.wait(max(self.settings.pause_s(turn), until_asked_for)):
            raise StoppedError

    def _ask(self, entry: Entry, mirror: _Mirror) -> Entry | None:
        """The entry of the file that `mirror` delivered, or None, with the reason in `fault`."""
        while True:
            try:
                return self._transfer(entry, mirror)
            except _RefusedError as refusal:
                mirror.refused = True
                mirror.fault = str(refusal)
            except _TransferError as fault:
                mirror.fault = str(fault)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                query = urlsplit(mirror.url).query
                message = f"{type(error).__name__}: {error}"
                mirror.fault = message.replace(query, "…") if query else message
            log.warning("%s: %s: %s", entry.path, mirror.shown, mirror.fault)
            if not mirror.made_progress():
                return None

    def _transfer(self, entry: Entry, mirror: _Mirror) -> Entry:
        part = mirror.part
        headers = part.range_headers(verifiable=entry.is_verifiable)
        with self.connections.response(mirror.url, headers) as response:
            _refuse_status(response, mirror)
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                expected = _range_total(response)
                if expected != part.size:
                    part.discard()
                    raise _TransferError("the part that was here is not one of this file")
            else:
                expected = _expected_size(response, entry, part.size if headers else 0)
                if response.status_code == requests.codes.ok:
                    part.begin(response)
                sizes = [n for n in (entry.bytes, expected, self.most_bytes) if n is not None]
                part.write(self._blocks(entry, part, response, min(sizes, default=None)))
        self.arrived(entry.path, part.size, 0)
        return _verified(entry, part, expected)

    def _blocks(
        self, entry: Entry, part: PartialDownload, response: requests.Response, most: int | None
    ) -> Iterator[bytes]:
        size = looked_at = part.size
        for block in response.raw.stream(BLOCK_BYTES, decode_content=False):
            if self.stop.is_set():
                raise StoppedError
            size += len(block)
            if most is not None and size > most:
                part.discard()
                raise _TransferError(f"expected {most} bytes, found more")
            if size - looked_at >= ROOM_BYTES:
                require_room(entry.path, 0, self.parts, self.settings.min_free_bytes)
                looked_at = size
            self.arrived(entry.path, size, len(block))
            yield block


def _verified(entry: Entry, part: PartialDownload, expected: int | None) -> Entry:
    if expected is not None and part.size < expected:
        raise _TransferError(f"broke off after {part.size} of {expected} bytes")
    if not part.file.exists():  # an empty file has no block that could have made it
        part.write([])
    found = entry.measured(part.file)
    fault = Entry(entry.path, expected).fault_of(found) or entry.fault_of(found)
    if fault:
        part.discard()
        raise _TransferError(fault)
    return found


def _refuse_status(response: requests.Response, mirror: _Mirror) -> None:
    status = response.status_code
    if status in {200, 206, 416}:
        return
    answer = f"answered {status} {response.reason}"
    if 400 <= status < 500 and status not in _TEMPORARY:
        raise _RefusedError(answer)
    wait = _retry_after_s(response)
    if wait > LONGEST_RETRY_AFTER_S:
        raise _RefusedError(f"{answer}, to be asked again in {wait:.0f} s")
    mirror.not_before = time.monotonic() + wait
    raise _TransferError(answer)


def _retry_after_s(response: requests.Response) -> float:
    """Seconds, from either form of Retry-After (RFC 9110, 10.2.3); 0 where there is none."""
    try:
        value = response.headers.get("Retry-After", "0")
        return float(urllib3.Retry().parse_retry_after(value))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return 0.0


def _expected_size(response: requests.Response, entry: Entry, offset: int) -> int | None:
    """The size of the whole file, as the server announces it; None where it doesn't.

    Faults: a range other than the one asked for, a size other than the manifest's, a body that
    is not the stored file, and one whose end cannot be told from a broken connection.
    """
    _refuse_other_body(response, entry)
    if response.status_code == requests.codes.partial_content:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != offset or not offset:
            raise _TransferError(f"sent another range than the one from byte {offset}")
        total = int(match[2]) + 1 if match[3] == "*" else int(match[3])
    else:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
    if total is None:
        chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if not chunked and entry.bytes is None and not entry.is_verifiable:
            raise _RefusedError("gives no length; state the file's bytes or sha256 in a manifest")
    elif entry.bytes is not None and total != entry.bytes:
        raise _TransferError(f"expected {entry.bytes} bytes, offered {total}")
    return total


def _refuse_other_body(response: requests.Response, entry: Entry) -> None:
    name = entry.path.lower()
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity" and not name.endswith(("gz", "bz2", "xz")):
        raise _RefusedError(f"packs the file anew ({encoding})")
    if is_web_page(response) and not entry.is_verifiable and not name.endswith((".html", ".htm")):
        raise _RefusedError("sent a web page instead of the file; does it want a log-in?")


def _range_total(response: requests.Response) -> int | None:
    """The size of the file in the answer to a range beyond its end (`bytes */size`)."""
    total = response.headers.get("Content-Range", "").removeprefix("bytes */")
    return int(total) if total.isdigit() else None
