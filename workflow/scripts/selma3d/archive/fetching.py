"""Fetching of an archive: its files into one folder, verified, and a receipt that lists them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..challenge.edition import ArchiveSettings
from ..system import atomic
from ..system.errors import InputError
from ..system.file_lock import alone_in
from ..system.paths import safe_path
from . import manifest as manifests
from .archive_download import ArchiveDownload
from .archive_folder import link_or_copy, refuse_strays, sweep
from .download import DEFAULT, DownloadSettings
from .manifest import COLUMNS, Entry
from .many_files import for_each
from .progress import amount
from .published_files import published

log = logging.getLogger(__name__)


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
    `destination`) or `phantom` (the manifest lies among its files). `work`, a folder for this
    archive alone, keeps partial downloads and first-seen checksums: the same call continues after
    any interruption. `receipt` is a TSV with path, bytes, sha256 and source, the preferred mirror.

    InputError: a file that could not be had or is not what the manifest says (the others are
    there), a name that leads out of the folder, too little room, a file in `destination` that the
    archive does not hold, another download with the same `work`.
    """
    destination, receipt, work = Path(destination), Path(receipt), Path(work)
    destination.mkdir(parents=True, exist_ok=True)
    with _named(destination), alone_in(work, "download"):
        sweep(destination)
        if source.kind == "phantom":
            rows = _link_drawn(manifest, destination, settings.workers)
        elif source.kind in {"biostudies", "zenodo", "urls"}:
            rows = ArchiveDownload(destination, work, settings).bring(published(source, manifest))
        else:
            raise InputError(
                f"kind: expected biostudies, zenodo, urls or phantom, found {source.kind!r}"
            )
        _write_receipt(rows, destination, receipt)


def _link_drawn(manifest: Path | None, destination: Path, workers: int) -> list[tuple[Entry, str]]:
    """Give the files of a synthetic archive, drawn beside `manifest`, their places; verified."""
    if manifest is None:
        raise InputError("manifest: expected that of the synthetic images, found none")
    folder = manifest.parent

    def link(entry: Entry) -> Entry:
        origin, final = safe_path(folder, entry.path), safe_path(destination, entry.path)
        if not origin.is_file():
            raise InputError(f"{origin}: expected a file, found none")
        found = entry.measured(origin)
        fault = entry.fault_of(found)
        if fault:
            raise InputError(f"{origin}: {fault}")
        if not final.exists() or not (final.samefile(origin) or entry.measured(final) == found):
            link_or_copy(origin, final, found)
        return found

    return [(entry, str(folder)) for entry in for_each(manifests.read(manifest), link, workers)]


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
