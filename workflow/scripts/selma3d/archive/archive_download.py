"""Download of all files of an archive from its servers, several at a time, zip files unpacked."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..system.errors import InputError
from ..system.paths import refuse_collisions, safe_path, safe_paths
from . import manifest as manifests
from .archive_folder import place, require_room
from .connections import Connections, without_secrets
from .download import Downloader, DownloadSettings
from .manifest import Entry, measure
from .many_files import for_each
from .partial_download import PartialDownload
from .progress import Progress, amount
from .published_files import PublishedFile
from .recorded_checksums import RecordedChecksums
from .unpack import UnreadableError, unpack

log = logging.getLogger(__name__)


class ArchiveDownload:
    """Download of one archive's files from its servers to `destination`, by way of `work`.

    What must outlive a kill lies in `work`: `parts/`, `known.tsv`, and for every archive that was
    unpacked a manifest of its members, `unpacked/<sha256 of the archive>.tsv`.
    """

    def __init__(self, destination: Path, work: Path, settings: DownloadSettings) -> None:
        self._destination, self._work, self._settings = destination, work, settings
        self._connections = Connections(settings.per_host, settings.timeout_s)
        self._parts = work / "parts"
        self._parts.mkdir(parents=True, exist_ok=True)
        self._known = RecordedChecksums(work / "known.tsv")
        self._stop = threading.Event()
        self._claimed: list[str] = []
        self._claiming = threading.Lock()

    def bring(self, files: Sequence[PublishedFile]) -> list[tuple[Entry, str]]:
        """Every file, verified, below the destination; the entry and the source of each.

        InputError names the files that could not be downloaded, see `for_each`; what arrived stays.
        """
        safe_paths(self._destination, (file.entry.path for file in files))
        self._claim(file.entry.path for file in files if not file.unpack)
        here = for_each(files, self._find, self._settings.workers, self._stop)
        missing = [file for file, entries in zip(files, here, strict=True) if entries is None]
        if missing:
            arrived = iter(self._download(missing))
            here = [next(arrived) if entries is None else entries for entries in here]
        return [
            (entry, without_secrets(file.urls[0]))
            for file, entries in zip(files, here, strict=True)
            for entry in entries or ()
        ]

    def _expected(self, file: PublishedFile) -> Entry:
        return self._known.complete(file.entry)

    def _find(self, file: PublishedFile) -> list[Entry] | None:
        """The entries that an earlier run left of `file`, verified; None: bring it (again)."""
        return self._find_members(file) if file.unpack else self._find_file(file)

    def _find_file(self, file: PublishedFile) -> list[Entry] | None:
        expected = self._expected(file)
        final = safe_path(self._destination, expected.path)
        if not final.exists():
            return None
        if not final.is_file():
            raise InputError(f"{final}: expected a file, found a folder (move it away)")
        found = expected.measured(final)
        if not expected.is_verifiable and expected.bytes is None:
            size = self._connections.size(file.urls[0])
            expected = Entry(expected.path, -1 if size is None else size)
        fault = expected.fault_of(found)
        if fault:
            log.warning("%s: downloaded again: %s", final, fault)
            final.unlink()
            return None
        if not expected.is_verifiable:
            log.warning("%s: no checksum is known; recorded as it lies here", final)
        self._record(file, found)
        return [found]

    def _find_members(self, file: PublishedFile) -> list[Entry] | None:
        archive = self._expected(file)
        record = self._record_of_members(archive)
        if archive.sha256 is None or not record.exists():
            return None
        members = manifests.read(record)
        for member, final in zip(members, self._finals(members), strict=True):
            if not final.is_file() or member.fault_of(measure(final, member.path)):
                log.warning("%s: unpacked again: %s is missing or wrong", file.entry.path, final)
                return None
        self._claim(member.path for member in members)
        return members

    def _download(self, files: Sequence[PublishedFile]) -> list[list[Entry]]:
        title = self._destination.name
        sizes = for_each(files, self._size, self._settings.workers, self._stop)
        coming = sum(size or 0 for size in sizes)
        unknown = sizes.count(None)
        log.info(
            "%s: %d files to download, %s%s",
            title,
            len(files),
            amount(coming),
            f" and {unknown} of unknown size" if unknown else "",
        )
        self._require_room(files, sizes)
        files = [_sized(file, size) for file, size in zip(files, sizes, strict=True)]
        progress = Progress(title, len(files), None if unknown else coming)
        downloader = Downloader(
            self._connections, self._settings, self._parts, progress.arrived, self._stop
        )

        def bring(file: PublishedFile) -> list[Entry]:
            entries = self._bring(file, downloader)
            progress.finished()
            return entries

        try:
            return for_each(files, bring, self._settings.workers, self._stop)
        finally:
            progress.close()

    def _size(self, file: PublishedFile) -> int | None:
        size = self._expected(file).bytes
        return self._connections.size(file.urls[0]) if size is None else size

    def _require_room(self, files: Sequence[PublishedFile], sizes: Sequence[int | None]) -> None:
        needed = 0
        for file, size in zip(files, sizes, strict=True):
            # An archive and its members lie side by side while it is unpacked.
            whole = (size or 0) * (2 if file.unpack else 1)
            needed += max(0, whole - PartialDownload(self._parts, file.urls[0]).size)
        require_room("the download", needed, self._destination, self._settings.min_free_bytes)

    def _bring(self, file: PublishedFile, downloader: Downloader) -> list[Entry]:
        try:
            part, found = self._arrived(file, downloader)
            entries = self._unpack(part, found) if file.unpack else [found]
            self._record(file, found)
            if not file.unpack:
                place(part.file, safe_path(self._destination, found.path), found)
            part.discard()
        except OSError as error:
            raise InputError(f"{file.entry.path}: cannot be stored: {error}") from error
        return entries

    def _arrived(
        self, file: PublishedFile, downloader: Downloader
    ) -> tuple[PartialDownload, Entry]:
        expected = self._expected(file)
        try:
            return downloader.download(expected, file.urls)
        except InputError as error:
            if expected.sha256 == file.entry.sha256:
                raise
            raise InputError(
                f"{error} (its checksum is that of its first download; if it was published anew, "
                f"remove its line from {self._known.file})"
            ) from error

    def _record(self, file: PublishedFile, found: Entry) -> None:
        if file.entry.sha256 is None:
            self._known.record(found)

    def _unpack(self, part: PartialDownload, archive: Entry) -> list[Entry]:
        folder = self._work / "unpacking" / part.file.stem
        try:
            members = unpack(part.file, archive.path, folder, self._settings.min_free_bytes)
            self._claim(member.path for member in members)
            for member, final in zip(members, self._finals(members), strict=True):
                place(safe_path(folder, member.path), final, member)
        except UnreadableError:
            part.discard()
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        manifests.write(members, self._record_of_members(archive))
        return members

    def _finals(self, members: Sequence[Entry]) -> list[Path]:
        return [safe_path(self._destination, member.path) for member in members]

    def _record_of_members(self, archive: Entry) -> Path:
        return self._work / "unpacked" / f"{archive.sha256}.tsv"

    def _claim(self, names: Iterable[str]) -> None:
        """InputError where another file of this archive needs the place of one of `names`."""
        with self._claiming:
            claimed = [*self._claimed, *names]
            refuse_collisions(claimed)
            self._claimed = claimed


def _sized(file: PublishedFile, size: int | None) -> PublishedFile:
    """`file` with the size that its server stated, so that a cut file is noticed.

    A checksum needs no such help: with it, a server that misstates the size does no harm.
    """
    if file.entry.is_verifiable or file.entry.bytes is not None:
        return file
    return replace(file, entry=replace(file.entry, bytes=size))
