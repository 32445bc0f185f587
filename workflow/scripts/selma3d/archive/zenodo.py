"""The files of a Zenodo record, as the record's own interface lists them.

`<root>/<record>` is JSON with `files`: `[{"key": "a.tar.gz", "size": 123, "checksum":
"md5:<32 hexadecimal digits>", "links": {"self": …}}, …]`. A file's address is made from the record
and its name: links in an answer could lead anywhere.
"""

from __future__ import annotations

import re
from typing import Any

from ..system.errors import InputError
from ..system.json_text import parsed_json
from ..system.paths import refuse_collisions
from .answers import asking, name_of, size_of
from .download import DownloadSettings
from .manifest import Entry
from .published_files import address

_CHECKSUM = re.compile(r"(md5|sha256):([0-9a-f]+)")
_DIGITS = {"md5": 32, "sha256": 64}


def record_listing(root: str, record: str, settings: DownloadSettings) -> list[Entry]:
    """All files of a record with sizes and checksums.

    InputError where the answer is not had or not understood, and for names that are refused.
    """
    where = address(root, record)
    with asking(settings) as answer:
        return entries_of(answer(record, [where]), where)


def entries_of(content: bytes, where: str) -> list[Entry]:
    """The files that a record's JSON names. Raises InputError."""
    page = parsed_json(content, where)
    files = page.get("files") if isinstance(page, dict) else None
    if not isinstance(files, list) or not files:
        raise InputError(
            f"{where}: expected a record with a list of files, found none (is it restricted?)"
        )
    entries = [_entry(file, where) for file in files]
    refuse_collisions(entry.path for entry in entries)
    return entries


def _entry(file: Any, where: str) -> Entry:
    name = name_of(file, "key", where)
    size, checksum = size_of(file, name, where), file.get("checksum")
    found = _CHECKSUM.fullmatch(checksum.lower()) if isinstance(checksum, str) else None
    if found is None or len(found[2]) != _DIGITS[found[1]]:
        raise InputError(
            f"{where}: {name}: checksum: expected md5: and 32 hexadecimal digits, found "
            f"{str(checksum)[:80]!r}"
        )
    return Entry(name, size, **{found[1]: found[2]})
