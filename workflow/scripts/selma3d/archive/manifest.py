"""Manifests: tables of the files of an archive, with sizes and checksums to verify them by."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

from ..system import atomic
from ..system.errors import InputError
from ..system.limits import check_file
from ..system.paths import fault_of_name, refuse_collisions

COLUMNS = ("path", "bytes", "sha256")
MD5 = "md5"  # a further column, where the archive publishes no better checksum
UNKNOWN = "-"
_FORMS = {  # of a cell that is known, and its description
    "bytes": (re.compile(r"[0-9]{1,18}"), "a whole number"),
    "sha256": (re.compile(r"[0-9a-f]{64}"), "64 hexadecimal digits"),
    MD5: (re.compile(r"[0-9a-f]{32}"), "32 hexadecimal digits"),
}


@dataclass(frozen=True)
class Entry:
    """One file of an archive; `bytes` and the checksums are None until they are known.

    `md5` is what some archives publish: it finds damage. A forged file can have the same one, so
    a file's SHA-256 counts as well as soon as it is known.
    """

    path: str
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def is_verifiable(self) -> bool:
        """Whether a checksum is known."""
        return self.sha256 is not None or self.md5 is not None

    def fault_of(self, found: Entry) -> str | None:
        """The first fact in which `found`, a measured file, contradicts this entry, if any."""
        if self.bytes is not None and found.bytes != self.bytes:
            return f"expected {self.bytes} bytes, found {found.bytes}"
        if self.sha256 is not None and found.sha256 != self.sha256:
            return f"expected sha256 {self.sha256}, found {found.sha256}"
        if self.md5 is not None and found.md5 != self.md5:
            return f"expected md5 {self.md5}, found {found.md5}"
        return None

    def measured(self, file: Path) -> Entry:
        """What `file` is under this entry's name; its MD5 too where this entry states one."""
        return measure(file, self.path, md5=self.md5 is not None)

    def completed_by(self, other: Entry) -> Entry:
        """This entry, with what it leaves unknown taken from `other`."""
        size = other.bytes if self.bytes is None else self.bytes
        sha256 = other.sha256 if self.sha256 is None else self.sha256
        return Entry(self.path, size, sha256, other.md5 if self.md5 is None else self.md5)


def measure(file: Path, path: str, *, md5: bool = False) -> Entry:
    """The entry that `file` deserves under the name `path`: its size and SHA-256, read in full.

    md5: compute that as well.
    """
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size, weak = stream.tell(), None
        if md5:
            stream.seek(0)
            weak = hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False))
    return Entry(path, size, digest, weak and weak.hexdigest())


def read(path: str | Path) -> list[Entry]:
    """The entries of a manifest, in its order.

    A manifest is a TSV with the columns path, bytes, sha256, and md5 where the archive publishes
    that; `-` stands for unknown, lines above the header that begin with `#` are remarks, other
    columns are ignored (a receipt is a manifest). InputError for anything else, for names that
    `paths.safe_path` would refuse and for names that collide.
    """
    path = Path(path)
    check_file(path, "a manifest", "TABLE_BYTES")
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except FileNotFoundError:
        raise InputError(f"{path}: expected a manifest, found no such file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected a manifest in UTF-8, found other bytes") from None
    remarks = sum(1 for _ in takewhile(lambda line: line.startswith("#"), lines))
    header, *rows = [line.split("\t") for line in lines[remarks:]] or [[]]
    if tuple(header[: len(COLUMNS)]) != COLUMNS:
        raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}, found {header}")
    entries = [
        _entry(f"{path}: line {number}", cells, header)
        for number, cells in enumerate(rows, remarks + 2)
    ]
    if not entries:
        raise InputError(f"{path}: expected at least one file, found none")
    try:
        refuse_collisions(entry.path for entry in entries)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return entries


def _entry(where: str, cells: list[str], header: list[str]) -> Entry:
    if len(cells) != len(header):
        raise InputError(f"{where}: expected {len(header)} tab-separated cells, found {len(cells)}")
    name, known = cells[0], {}
    fault = fault_of_name(name)
    if fault:
        raise InputError(f"{where}: path {name!r} is refused: {fault}")
    for key, cell in zip(header, cells, strict=True):
        form, told = _FORMS.get(key, (None, ""))
        if form is None or cell == UNKNOWN:
            continue
        if not form.fullmatch(cell.lower()):
            raise InputError(f"{where}: {key}: expected {told} or {UNKNOWN}, found {cell!r}")
        known[key] = int(cell) if key == "bytes" else cell.lower()
    return Entry(name, **known)


def row(entry: Entry, *further: str) -> str:
    """One line of a manifest or a receipt."""
    size = UNKNOWN if entry.bytes is None else str(entry.bytes)
    return "\t".join((entry.path, size, entry.sha256 or UNKNOWN, *further)) + "\n"


def write(entries: Iterable[Entry], path: Path, remarks: Iterable[str] = ()) -> None:
    """Write a manifest, sorted by path, below its remarks; atomic."""
    ordered = sorted(entries, key=lambda entry: entry.path)
    with_md5 = any(entry.md5 for entry in ordered)
    with atomic.publish(path) as temporary:
        temporary.write_text(
            "".join(f"# {remark}\n" for remark in remarks)
            + "\t".join((*COLUMNS, MD5) if with_md5 else COLUMNS)
            + "\n"
            + "".join(
                row(entry, entry.md5 or UNKNOWN) if with_md5 else row(entry) for entry in ordered
            ),
            encoding="utf-8",
        )
