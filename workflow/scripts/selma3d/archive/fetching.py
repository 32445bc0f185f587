"""Fetching of an archive: its files into one folder, verified, and a receipt that lists them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..challenge.edition import ArchiveSettings
from ..system import atomic
from ..system.errors import InputError
from ..system.file_lock import alone_in
from . import local
from . import manifest as manifests
from .archive_folder import refuse_strays, require_room, sweep
from .connections import Connections
from .download import Patience
from .manifest import COLUMNS, Entry
from .many_files import for_each
from .paths import safe_paths
from .progress import amount
from .published_files import published
from .remote import Remote

log = logging.getLogger(__name__)


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


DEFAULT = DownloadSettings()


def fetch(
    source: ArchiveSettings,
    manifest: Path | None,
    destination: Path,
    receipt: Path,
    *,
    work: Path,
    settings: DownloadSettings = DEFAULT,
) -> None:
    """Bring the files of `source` below `destination`, verify them, and write `receipt` last.

    `source` is an edition's archive: kind `biostudies` (accession, roots: mirrors in turn; the
    manifest names the files), `urls` (one file each; zip and tar archives are unpacked into
    `destination`) or `local` (folder; the manifest's files, or without one all of them).
    `work`, a folder for this archive alone, keeps partial downloads and first-seen checksums: the
    same call continues after any interruption. `receipt` is a TSV with path, bytes, sha256 and
    source, the preferred mirror.

    InputError: a file that could not be had or is not what the manifest says (the others are
    there), a name that leads out of the folder, too little room, a
    file in `destination` that the archive does not hold, another download with the same `work`.
    """
    destination, receipt, work = Path(destination), Path(receipt), Path(work)
    destination.mkdir(parents=True, exist_ok=True)
    with _named(destination), alone_in(work, "download"):
        sweep(destination)
        if source.kind == "local":
            rows = _bring_local(source, manifest, destination, work, settings)
        elif source.kind in {"biostudies", "zenodo", "urls"}:
            remote = Remote(
                destination,
                work,
                Connections(settings.per_host, settings.timeout_s),
                Patience(settings.retries, settings.first_pause_s),
                workers=settings.workers,
                min_free_bytes=settings.min_free_bytes,
            )
            rows = remote.bring(published(source, manifest))
        else:
            raise InputError(
                f"kind: expected biostudies, zenodo, urls or local, found {source.kind!r}"
            )
        _write_receipt(rows, destination, receipt)


def _bring_local(
    source: ArchiveSettings,
    manifest: Path | None,
    destination: Path,
    work: Path,
    settings: DownloadSettings,
) -> list[tuple[Entry, str]]:
    if source.folder is None:
        raise InputError("folder: expected, as the source's kind is local; found none")
    folder = Path(source.folder)
    here, there = folder.resolve(), destination.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise InputError(f"{folder}: expected a folder apart from {destination}")
    entries = manifests.read(manifest) if manifest else local.entries_below(folder)
    finals = safe_paths(destination, (entry.path for entry in entries))
    if folder.exists() and folder.stat().st_dev != destination.stat().st_dev:
        copies = sum(entry.bytes or 0 for entry in entries if not finals[entry.path].exists())
        require_room(str(folder), copies, destination, settings.min_free_bytes)
    found = for_each(
        entries, lambda entry: local.bring(entry, folder, destination), settings.workers
    )
    placed = work / "placed.tsv"
    local.remove_withdrawn(destination, placed, finals)
    manifests.write(found, placed)
    return [(entry, str(folder)) for entry in found]


def _write_receipt(rows: Sequence[tuple[Entry, str]], destination: Path, receipt: Path) -> None:
    names = {entry.path for entry, _ in rows}
    own = receipt.resolve()
    if own.is_relative_to(destination.resolve()):
        name = own.relative_to(destination.resolve()).as_posix()
        if name in names:
            raise InputError(f"{name}: a file of the archive has the receipt's name")
        names.add(name)
    refuse_strays(destination, names)
    with atomic.publish(receipt) as temporary:
        temporary.write_text(
            "\t".join((*COLUMNS, "source"))
            + "\n"
            + "".join(
                manifests.row(entry, origin)
                for entry, origin in sorted(rows, key=lambda row: row[0].path)
            ),
            encoding="utf-8",
        )
    total = sum(entry.bytes or 0 for entry, _ in rows)
    log.info("%s: %d files, %s, all verified", destination.name, len(rows), amount(total))


@contextmanager
def _named(destination: Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"archive {destination.name}: {error}") from error
