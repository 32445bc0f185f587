"""Published files of an archive, each with its mirrors: from a manifest, or from given URLs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from ..challenge.edition import ArchiveSettings
from ..system.errors import InputError
from ..system.paths import fault_of_name, refuse_collisions
from . import manifest as manifests
from .manifest import Entry
from .unpack import is_archive

BIOSTUDIES_FILES = "https://www.ebi.ac.uk/biostudies/files"
ZENODO_RECORDS = "https://zenodo.org/api/records"


@dataclass(frozen=True)
class PublishedFile:
    """A file as it is published: what is known of it, and its mirrors, the preferred one first.

    `unpack`: it is an archive, and its members are wanted in its place.
    """

    entry: Entry
    urls: tuple[str, ...]
    unpack: bool = False


def published(source: ArchiveSettings, manifest: Path | None) -> list[PublishedFile]:
    """The files of a source of kind `biostudies`, `zenodo` or `urls`.

    An accession's files are those of its manifest, a record's those of them that are chosen; its
    archives stay packed. URLs speak for themselves; where they have a manifest too, it must name
    the same files (an archive by its own name, not by its members).
    """
    if source.kind == "biostudies":
        return _of_accession(source, manifest)
    if source.kind == "zenodo":
        return _of_record(source, manifest)
    return _of_urls(source, manifest)


def roots(source: ArchiveSettings) -> list[str]:
    """The folders that serve an accession's files, without the final slash."""
    if source.accession is None:
        raise InputError("accession: expected, as the source's kind is biostudies; found none")
    given = source.roots or (f"{BIOSTUDIES_FILES}/{source.accession}",)
    return [_checked(root).rstrip("/") for root in given]


def records_root(source: ArchiveSettings) -> str:
    """The interface that serves records, without the final slash."""
    root = (source.roots or (ZENODO_RECORDS,))[0]
    return _checked(root).rstrip("/")


def record_of(source: ArchiveSettings) -> str:
    """The number of the source's record. Raises InputError."""
    if source.record is None or not (source.record.isascii() and source.record.isdigit()):
        raise InputError(
            "record: expected the number of a Zenodo record, such as 20149070, found "
            f"{source.record or 'none'}"
        )
    return source.record


def address(root: str, path: str) -> str:
    """The URL of a file below `root`; every character that a URL may not hold is escaped."""
    return f"{root}/{quote(path)}"


def _of_accession(source: ArchiveSettings, manifest: Path | None) -> list[PublishedFile]:
    folders = roots(source)
    if manifest is None:
        raise InputError(
            f"{source.accession}: expected a manifest that names its files, found none "
            "(refresh it from the archive)"
        )
    return [
        PublishedFile(entry, tuple(address(root, entry.path) for root in folders))
        for entry in manifests.read(manifest)
    ]


def _of_record(source: ArchiveSettings, manifest: Path | None) -> list[PublishedFile]:
    root, record = records_root(source), record_of(source)
    if manifest is None:
        raise InputError(
            f"record {record}: expected a manifest that names its files, found none "
            "(make it from the record: make manifest)"
        )
    entries = {entry.path: entry for entry in manifests.read(manifest)}
    for name in source.files or ():
        if name not in entries:
            raise InputError(
                f"files: {manifest} has no {name!r} (files of record {record}: "
                f"{', '.join(sorted(entries)[:10])})"
            )
    return [
        PublishedFile(entries[name], (f"{address(root, f'{record}/files/{name}')}/content",))
        for name in source.files or entries
    ]


def _of_urls(source: ArchiveSettings, manifest: Path | None) -> list[PublishedFile]:
    urls = source.urls or ()
    if not urls:
        raise InputError("urls: expected at least one, as the source's kind is urls; found none")
    by_name = {_file_name(_checked(url)): url for url in urls}
    if len(by_name) < len(urls):
        repeated, _ = Counter(map(_file_name, urls)).most_common(1)[0]
        raise InputError(
            f"urls: two of them end in the same file name: make two sources of them ({repeated})"
        )
    refuse_collisions(by_name)
    entries = {name: Entry(name) for name in by_name}
    if manifest is not None:
        entries = {entry.path: entry for entry in manifests.read(manifest)}
    for name in entries.keys() ^ by_name.keys():
        place = f"{manifest}, not in urls" if name in entries else f"urls, not in {manifest}"
        raise InputError(f"{name}: named in {place}; the two must name the same files")
    return [
        PublishedFile(entries[name], (url,), unpack=is_archive(name))
        for name, url in by_name.items()
    ]


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise InputError(f"{url}: expected an address that begins with https:// or http://")
    return url


def _file_name(url: str) -> str:
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    fault = fault_of_name(name) or ("it has a folder in it" if "/" in name else None)
    if fault:
        raise InputError(f"{url}: the file name {name!r} in it is refused: {fault}")
    return name
