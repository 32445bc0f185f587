"""The files of a Zenodo record, as the record's own interface lists them.

`<root>/<record>` is JSON with `files`: `[{"key": "a.tar.gz", "size": 123, "checksum":
"md5:<32 hexadecimal digits>", "links": {"self": …}}, …]`. A file's address is made from the record
and its name: links in an answer could lead anywhere.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
from pathlib import Path
from typing import Any

from ..system.errors import InputError
from ..system.limits import check_limit, limit, proportionate
from .connections import Connections
from .download import Downloader, Patience
from .manifest import Entry
from .paths import fault_of_name, refuse_collisions
from .published_files import address

_CHECKSUM = re.compile(r"(md5|sha256):([0-9a-f]+)")
_DIGITS = {"md5": 32, "sha256": 64}


def record_listing(root: str, record: str, patience: Patience, timeout_s: float) -> list[Entry]:
    """All files of a record with sizes and checksums.

    InputError where the answer is not had or not understood, and for names that are refused.
    """
    where = address(root, record)
    with tempfile.TemporaryDirectory() as folder:
        downloader = Downloader(
            Connections(1, timeout_s),
            patience,
            Path(folder),
            lambda path, size, new: None,
            threading.Event(),
            most_bytes=limit("TABLE_BYTES"),
        )
        part, _ = downloader.download(Entry(record), [where])
        return entries_of(part.file.read_bytes(), where)


def entries_of(content: bytes, where: str) -> list[Entry]:
    """The files that a record's JSON names. Raises InputError."""
    check_limit(where, "bytes in a listing", len(content), "TABLE_BYTES")
    try:
        with proportionate(where, "a listing"):
            page = json.loads(content)
    except ValueError:
        raise InputError(f"{where}: expected JSON, found something else") from None
    files = page.get("files") if isinstance(page, dict) else None
    if not isinstance(files, list) or not files:
        raise InputError(
            f"{where}: expected a record with a list of files, found none (is it restricted?)"
        )
    entries = [_entry(file, where) for file in files]
    refuse_collisions(entry.path for entry in entries)
    return entries


def _entry(file: Any, where: str) -> Entry:
    name = file.get("key") if isinstance(file, dict) else None
    if not isinstance(name, str):
        raise InputError(f"{where}: expected a file with a key, found {str(file)[:80]}")
    fault = fault_of_name(name)
    if fault:
        raise InputError(f"{where}: key {name!r} is refused: {fault}")
    size, checksum = file.get("size"), file.get("checksum")
    if type(size) is not int or size < 0:
        raise InputError(f"{where}: {name}: size: expected a whole number, found {size!r}")
    found = _CHECKSUM.fullmatch(checksum.lower()) if isinstance(checksum, str) else None
    if found is None or len(found[2]) != _DIGITS[found[1]]:
        raise InputError(
            f"{where}: {name}: checksum: expected md5: and 32 hexadecimal digits, found "
            f"{str(checksum)[:80]!r}"
        )
    return Entry(name, size, **{found[1]: found[2]})
