"""The structure of a TIFF, looked through before a library reads it: pages, tags, description.

A library follows each pointer and makes a list of each count. Here the chain of pages is walked
once, so that a loop, a tag of millions of values or a description that speaks of millions of planes
costs nothing.
"""

from __future__ import annotations

import mmap
import re
import struct
from math import prod
from pathlib import Path

from ...system.errors import InputError
from ...system.limits import check_file, check_limit

TYPE_BYTES = {1: 1, 2: 1, 6: 1, 7: 1, 3: 2, 8: 2, 4: 4, 9: 4, 11: 4, 13: 4, 5: 8, 10: 8, 12: 8,
              16: 8, 17: 8, 18: 8}  # fmt: skip
TEXT_TYPES = (1, 2, 6, 7)  # bytes and characters
MOST_TAGS = 1000  # of a page
MOST_ELEMENTS = 500_000  # of a description in XML
MOST_DIGITS = 30
DESCRIPTION = 270
COUNTS = re.compile(r'(?:Size[ZCT]|PlaneCount|IFD|First[ZCT])\s*=\s*["\'](\d+)["\']')


def check_structure(path: Path) -> None:
    """Raise InputError for what would take a reader of this TIFF too much time or memory.

    What is no TIFF at all, or breaks off, is left to the reader, which says so.
    """
    if check_file(path, "a TIFF") < 8:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        order = {b"II": "<", b"MM": ">"}.get(content[:2])
        version = order and struct.unpack_from(f"{order}H", content, 2)[0]
        if version not in (42, 43):
            return
        try:
            _walk(content, path, order, version == 43)
        except struct.error:
            return


def _walk(content: mmap.mmap, path: Path, order: str, big: bool) -> None:
    pointer, number, width = ("Q", "Q", 8) if big else ("I", "H", 2)
    entry = struct.Struct(f"{order}HH{pointer}")
    place = struct.calcsize(f"={pointer}")
    step = entry.size + place
    (page,) = struct.unpack_from(f"{order}{pointer}", content, 8 if big else 4)
    seen: set[int] = set()
    values = 0
    while page:
        if page in seen:
            raise InputError(
                f"{path}: expected pages in a row, found one that leads back to an earlier one "
                "(damaged: copy or save it again)"
            )
        seen.add(page)
        check_limit(path, "pages", len(seen), "PAGES")
        (tags,) = struct.unpack_from(f"{order}{number}", content, page)
        if tags > MOST_TAGS:
            raise InputError(
                f"{path}: expected at most {MOST_TAGS} tags a page, found {tags} "
                "(damaged: copy or save it again)"
            )
        start = page + width
        for at in range(start, start + tags * step, step):
            code, kind, count = entry.unpack_from(content, at)
            size = count * TYPE_BYTES.get(kind, 1)
            if size <= place:
                continue
            if kind not in TEXT_TYPES:
                values += count
                check_limit(f"{path}: tag {code}", "values", count, "TAG_VALUES")
            else:
                check_limit(f"{path}: tag {code}", "bytes", count, "TEXT_BYTES")
            (offset,) = struct.unpack_from(f"{order}{pointer}", content, at + entry.size)
            if offset + size > len(content):
                raise InputError(
                    f"{path}: tag {code}: expected values in the file, found a place beyond its "
                    f"end, byte {offset + size} of {len(content)} (truncated: copy or save it "
                    "again)"
                )
            if code == DESCRIPTION and len(seen) == 1:
                _check_description(content[offset : offset + size].decode("latin-1"), path)
        check_limit(f"{path}: all tags", "values", values // 32, "TAG_VALUES")
        (page,) = struct.unpack_from(f"{order}{pointer}", content, start + tags * step)


def _check_description(text: str, path: Path) -> None:
    """Raise InputError for metadata that speak of too many planes, or are no plain XML."""
    if not text.lstrip("\xef\xbb\xbf \t\r\n").startswith("<"):
        return
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"{path}: expected plain OME metadata, found definitions of entities")
    if text.count("<") > MOST_ELEMENTS:
        raise InputError(
            f"{path}: expected at most {MOST_ELEMENTS} elements of metadata, found "
            f"{text.count('<')}"
        )
    counts = [int(found[:MOST_DIGITS]) for found in COUNTS.findall(text)]
    check_limit(f"{path}: OME metadata", "planes", max(counts, default=0), "PAGES")
    sizes = [re.search(rf'Size{axis}\s*=\s*["\'](\d+)["\']', text) for axis in "ZCT"]
    planes = prod(int(found[1][:MOST_DIGITS]) for found in sizes if found)
    check_limit(f"{path}: OME metadata", "planes", planes, "PAGES")
