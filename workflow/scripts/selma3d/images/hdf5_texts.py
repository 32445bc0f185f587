"""Checks of texts in an HDF5 file before the library reads them: it makes room for any length.

A text of its own length is stored as length and place, and lies in a heap. Lengths, heaps and the
numbers of texts are looked at in the bytes of the file, since the library shows none of them.
Source: HDF5 File Format Specification 3.0, IV.A.2.b, d and m, and III.E.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from math import prod
from pathlib import Path

from ..system.errors import InputError

HEAP = b"GCOL\1\0\0\0"  # begins a heap of texts; its size follows
HEAP_HEAD = 16  # bytes before the first object, and of an object before its text

# The type of such texts: class and version, kind and character set, size; then what it is made of.
TEXT_SIZE = b"\0\x10\0\0\0"  # the last byte before the size, and the size of length and place
VERSIONS, PADDINGS, CHARACTERS = b"\x19\x29\x39\x49", b"\x01\x11\x21", b"\0\x01"
BYTES = b"\x10\0\0\0\x01\0\0\0\0\0\x08\0"
TYPE_HEAD = 8  # bytes of a type before what it is made of
PLACE = 16  # bytes of a text's length, heap and number
NO_VALUE = 2  # kind of a shape: an attribute without a value
LONGEST_NAME = 1024  # of an attribute that is looked for here


def check_texts(path: Path) -> None:
    """Raise InputError where a heap is none, or where texts are longer than the file."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        for at in _found(content, HEAP):
            if not _is_heap(content, at):
                raise _damaged(path, f"a heap of other sizes at byte {at}")
        for at in _found(content, TEXT_SIZE):
            if _is_text(content, at - 3) and not _fits(content, at - 3):
                raise _damaged(path, f"longer ones at byte {at - 3}")


def _damaged(path: Path, found: str) -> InputError:
    return InputError(
        f"{path}: expected texts within the file, found {found} (truncated or damaged: make it "
        "anew)"
    )


def _found(content: mmap.mmap, what: bytes) -> Iterator[int]:
    at = content.find(what)
    while at >= 0:
        yield at
        at = content.find(what, at + len(what))


def _is_heap(content: mmap.mmap, at: int) -> bool:
    """Whether the objects of a heap fill it: each has a number, a size, and room up to 8 bytes."""
    end = at + _number(content, at + 8, 8)
    if end > len(content):
        return False
    at += HEAP_HEAD
    while at + HEAP_HEAD <= end:
        number, size = _number(content, at, 2), _number(content, at + 8, 8)
        if number == 0:  # the rest is free, and its size includes its head
            return at + size == end
        at += HEAP_HEAD + size + -size % 8
    return at <= end


def _is_text(content: mmap.mmap, at: int) -> bool:
    """Whether a type begins here that is a text of its own length."""
    return at >= 0 and all(
        content[at + n] in known for n, known in enumerate((VERSIONS, PADDINGS, CHARACTERS))
    )


def _fits(content: mmap.mmap, at: int) -> bool:
    """Whether the texts of the attribute whose type begins here are no longer than the file."""
    if content[at + TYPE_HEAD : at + TYPE_HEAD + len(BYTES)] != BYTES:
        return False
    message = _message(content, at)
    if message is None:  # the type of a dataset
        return True
    count, places = message
    if places + count * PLACE > len(content):
        return False
    lengths = (_number(content, place, 4) for place in range(places, places + count * PLACE, PLACE))
    return sum(lengths) <= len(content)


def _message(content: mmap.mmap, at: int) -> tuple[int, int] | None:
    """The number of texts of the attribute whose type begins here, and where their places begin.

    Its message is a head (version, flags, sizes of name, type and shape), name, type, shape and
    places; in version 1 each is filled up to 8 bytes. None where no such head lies before.
    """
    for version, head, filled in ((1, 8, 8), (2, 8, 1), (3, 9, 1)):
        for name in range(filled, LONGEST_NAME + 1, filled):
            begin = at - name - head
            if begin < 0:
                break
            stated = _number(content, begin + 2, 2)
            if content[begin] == version and stated + -stated % filled == name:
                sizes = (_number(content, begin + n, 2) for n in (4, 6))
                of_type, of_shape = (size + -size % filled for size in sizes)
                return _count(content, at + of_type), at + of_type + of_shape
    return None


def _count(content: mmap.mmap, at: int) -> int:
    """The product of a shape: version, axes, flags, then (version 1: 5 bytes, 2: one) lengths."""
    if at + 4 > len(content):
        return len(content)  # more than fit
    version, axes, _, kind = content[at : at + 4]
    if version == 2 and kind == NO_VALUE:
        return 0
    lengths = at + (8 if version == 1 else 4)
    return prod(_number(content, lengths + 8 * axis, 8) for axis in range(axes))


def _number(content: mmap.mmap, at: int, size: int) -> int:
    return int.from_bytes(content[at : at + size], "little")
