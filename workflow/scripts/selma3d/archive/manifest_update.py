"""Update of a manifest from its archive's own list of files, and the difference that it makes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..challenge.edition import ArchiveSettings
from ..system.errors import InputError
from . import manifest as manifests
from .download import DEFAULT, DownloadSettings
from .listing import listing
from .manifest import UNKNOWN, Entry
from .progress import amount
from .published_files import record_of, records_root, roots
from .zenodo import record_listing

API = "https://www.ebi.ac.uk/biostudies/api/v1/studies"


def refresh(
    source: ArchiveSettings,
    manifest: Path,
    *,
    api: str = API,
    settings: DownloadSettings = DEFAULT,
) -> str:
    """Rewrite `manifest` from the archive's own list of files; the difference, one line a file.

    Names and sizes are the archive's, and MD5 sums where it states them. Another checksum stays
    unless the file's size or MD5 has changed. api: of BioStudies.
    InputError where `source` is not of kind biostudies or zenodo, or the archive's answer is not
    understood; the manifest is then left as it was.
    """
    folders: set[str] = set()
    if source.kind == "biostudies":
        title, listed_by = str(source.accession), api
        found = listing(title, roots(source), api, settings)
        listed, folders = list(found.files.values()), found.folders
    elif source.kind == "zenodo":
        listed_by = records_root(source)
        title = f"record {record_of(source)}"
        listed = record_listing(listed_by, record_of(source), settings)
    else:
        raise InputError(
            f"kind: expected biostudies or zenodo, found {source.kind!r}: only these have a "
            "list to refresh from (elsewhere the receipt of a download can be the manifest)"
        )
    before = manifests.read(manifest) if manifest.exists() else []
    after = _with_checksums(listed, before)
    if after != sorted(before, key=lambda entry: entry.path):
        manifests.write(after, manifest, [f"{title}, as listed by {listed_by}"])
    told = [
        f"! {path}: a folder without a list of its files; not taken" for path in sorted(folders)
    ]
    return "\n".join([*_difference(before, after), *told, _totals(title, before, after)])


def _with_checksums(listed: Iterable[Entry], before: Iterable[Entry]) -> list[Entry]:
    stated = {entry.path: entry for entry in before}
    merged = []
    for entry in sorted(listed, key=lambda entry: entry.path):
        other = stated.get(entry.path, entry)
        same_size = other.bytes in {None, entry.bytes}
        is_same = same_size and (None in {other.md5, entry.md5} or other.md5 == entry.md5)
        merged.append(entry.completed_by(other) if is_same else entry)
    return merged


def _difference(before: Iterable[Entry], after: Iterable[Entry]) -> list[str]:
    """`+` new, `-` gone, `~` changed; sorted by path."""
    old = {entry.path: entry for entry in before}
    new = {entry.path: entry for entry in after}
    lines = []
    for path in sorted(old.keys() | new.keys()):
        if path not in old:
            lines.append(f"+ {path}: {_told(new[path])}")
        elif path not in new:
            lines.append(f"- {path}: {_told(old[path])}")
        elif old[path] != new[path]:
            lines.append(f"~ {path}: {_told(old[path])} -> {_told(new[path])}")
    return lines


def _told(entry: Entry) -> str:
    size = "size unknown" if entry.bytes is None else f"{entry.bytes} bytes"
    md5 = f", md5 {entry.md5[:12]}" if entry.md5 else ""
    return f"{size}, sha256 {(entry.sha256 or UNKNOWN)[:12]}{md5}"


def _totals(accession: str, before: list[Entry], after: list[Entry]) -> str:
    size = amount(sum(entry.bytes or 0 for entry in after))
    marks = [line[0] for line in _difference(before, after)]
    return (
        f"{accession}: {len(after)} files, {size}; {marks.count('+')} new, "
        f"{marks.count('-')} gone, {marks.count('~')} changed"
    )
