"""Checksums that no manifest states, recorded at the first download and binding ever after."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

from ..system.atomic import open_own
from . import manifest as manifests
from .manifest import COLUMNS, Entry


class RecordedChecksums:
    """A manifest that grows by a line a file; a file's line is written before its final name is.

    The record is `work/known.tsv`. To accept a file that was published anew, remove its line.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        if file.exists():
            _drop_cut_line(file)
        self._entries = (
            {entry.path: entry for entry in manifests.read(file)} if file.exists() else {}
        )

    def complete(self, entry: Entry) -> Entry:
        """`entry` with its recorded checksum, unless it states one, or another size."""
        recorded = self._entries.get(entry.path)
        if recorded is None or entry.sha256 or entry.bytes not in {None, recorded.bytes}:
            return entry
        return entry.completed_by(recorded)

    def record(self, entry: Entry) -> None:
        entry = replace(entry, md5=None)  # the SHA-256 is the better one
        with self._lock:
            if self._entries.get(entry.path) == entry:
                return
            replaces = entry.path in self._entries
            self._entries[entry.path] = entry
            if replaces:
                manifests.write(self._entries.values(), self.file)
                return
            with open_own(self.file, "a") as stream:
                if stream.tell() == 0:
                    stream.write("\t".join(COLUMNS) + "\n")
                stream.write(manifests.row(entry))
                stream.flush()
                os.fsync(stream.fileno())


def _drop_cut_line(file: Path) -> None:
    """Remove a last line that a kill left without its end; a record without lines goes whole."""
    text = file.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if whole.count(b"\n") < 2:
        file.unlink()
    elif whole != text:
        with open_own(file, "r+b") as stream:
            stream.truncate(len(whole))
