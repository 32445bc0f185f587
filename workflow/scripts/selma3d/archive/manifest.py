"""Manifests: tables of the files of an archive, with sizes and checksums to verify them by."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from ..system import atomic
from ..system.errors import InputError
from ..system.limits import check_file
from .paths import fault_of_name, refuse_collisions

COLUMNS = ("path", "bytes", "sha256")
UNKNOWN = "-"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(r"[0-9]{1,18}")
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file of an archive; `bytes` and `sha256` are None until they are known."""

    path: str
    bytes: int | None = None
    sha256: str | None = None

    def fault_of(self, found: Entry) -> str | None:
        """The first fact in which `found`, a measured file, contradicts this entry, if any."""
        if self.bytes is not None and found.bytes != self.bytes:
            return f"expected {self.bytes} bytes, found {found.bytes}"
        if self.sha256 is not None and found.sha256 != self.sha256:
            return f"expected sha256 {self.sha256}, found {found.sha256}"
        return None

    def completed_by(self, other: Entry | None) -> Entry:
        """This entry, with what it leaves unknown taken from `other`."""
        if other is None:
            return self
        size = other.bytes if self.bytes is None else self.bytes
        sha256 = other.sha256 if self.sha256 is None else self.sha256
        return Entry(self.path, size, sha256)


def measure(file: Path, path: str) -> Entry:
    """The entry that `file` deserves under the name `path`: its size and SHA-256, read in full."""
    digest = hashlib.sha256()
    size = 0
    with file.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            digest.update(block)
            size += len(block)
    return Entry(path, size, digest.hexdigest())


def read(path: str | Path) -> list[Entry]:
    """The entries of a manifest, in its order.

    A manifest is a TSV with the columns path, bytes, sha256; `-` stands for unknown, lines
    above the header that begin with `#` are remarks, further columns are ignored (a receipt is a
    manifest). InputError
    for anything else, for names that `paths.safe_path` would refuse and for names that collide.
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
        _entry(f"{path}: line {number}", cells, len(header))
        for number, cells in enumerate(rows, remarks + 2)
    ]
    if not entries:
        raise InputError(f"{path}: expected at least one file, found none")
    try:
        refuse_collisions(entry.path for entry in entries)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return entries


def _entry(where: str, cells: list[str], width: int) -> Entry:
    if len(cells) != width:
        raise InputError(f"{where}: expected {width} tab-separated cells, found {len(cells)}")
    name, size, sha256 = cells[:3]
    fault = fault_of_name(name)
    if fault:
        raise InputError(f"{where}: path {name!r} is refused: {fault}")
    if size != UNKNOWN and not _SIZE.fullmatch(size):
        raise InputError(f"{where}: bytes: expected a whole number or {UNKNOWN}, found {size!r}")
    if sha256 != UNKNOWN and not _SHA256.fullmatch(sha256.lower()):
        raise InputError(
            f"{where}: sha256: expected 64 hexadecimal digits or {UNKNOWN}, found {sha256!r}"
        )
    return Entry(
        name,
        None if size == UNKNOWN else int(size),
        None if sha256 == UNKNOWN else sha256.lower(),
    )


def row(entry: Entry, *further: str) -> str:
    """One line of a manifest or a receipt."""
    size = UNKNOWN if entry.bytes is None else str(entry.bytes)
    return "\t".join((entry.path, size, entry.sha256 or UNKNOWN, *further)) + "\n"


def write(entries: Iterable[Entry], path: Path, remarks: Iterable[str] = ()) -> None:
    """Write a manifest, sorted by path, below its remarks; atomic."""
    with atomic.publish(path) as temporary:
        temporary.write_text(
            "".join(f"# {remark}\n" for remark in remarks)
            + "\t".join(COLUMNS)
            + "\n"
            + "".join(row(entry) for entry in sorted(entries, key=lambda entry: entry.path)),
            encoding="utf-8",
        )
