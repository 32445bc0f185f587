"""Ways to spoil a file: bits, numbers, words and stretches of it changed at random places."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable

HEAD = 600  # bytes in which most formats say what they hold
NUMBERS = (0, 1, 2, 3, 255, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
           10**9, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)  # fmt: skip
WORDS = (
    *(b"-1", b"0", b"1", b"99999", b"4294967295", b"9" * 20, b"9" * 5000, b"1e400", b"-1e-400"),
    *(b"nan", b"", b"null", b"~", b"true", b"[]", b"{}", b"[[]]", b'"x"', b"'", b'"', b"\0"),
    *(b"../../x", b"/etc/passwd", b"\xff\xfe", b"\xc3\xa9", b"\xed\xa0\x80", b"&a", b"*a"),
    *(b"2001-99-99", b"0x1F", b"1_000", b"%", b"$_{$", b"#", b":", b"- ", b"\t", b"\n", b"\r"),
    *(b"[" * 3000, b"{a: " * 500, b"&a [*a, *a]", b"!!binary x", b"<<: *a"),
)
WORD = re.compile(rb"[A-Za-z0-9_.+-]{1,40}")

Mutation = Callable[[bytearray, random.Random, bytes], None]


def mutated(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """`content`, spoiled in one to three ways; `other` is a file to take parts from."""
    spoiled = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        chance.choice(MUTATIONS)(spoiled, chance, other)
    return bytes(spoiled)


def _place(content: bytearray, chance: random.Random) -> int:
    """A place in the file; half of them near its beginning."""
    most = len(content) if chance.random() < 0.5 else min(len(content), HEAD)
    return chance.randrange(most) if most else 0


def _flip_bits(content: bytearray, chance: random.Random, other: bytes) -> None:
    for _ in range(chance.choice((1, 1, 2, 8)) if content else 0):
        content[_place(content, chance)] ^= 1 << chance.randrange(8)


def _write_number(content: bytearray, chance: random.Random, other: bytes) -> None:
    form = chance.choice("BHIQ")
    packed = struct.pack(
        chance.choice("<>") + form, chance.choice(NUMBERS) % 256 ** struct.calcsize(form)
    )
    at = _place(content, chance)
    at -= at % len(packed) if chance.random() < 0.7 else 0
    content[at : at + len(packed)] = packed


def _write_word(content: bytearray, chance: random.Random, other: bytes) -> None:
    words = [match.span() for match in WORD.finditer(content[: 1 << 16])]
    start, end = chance.choice(words) if words else (0, 0)
    content[start:end] = chance.choice(WORDS)


def _swap_words(content: bytearray, chance: random.Random, other: bytes) -> None:
    words = [match.span() for match in WORD.finditer(content[: 1 << 16])]
    if len(words) > 1:
        (start, end), (a, b) = chance.choice(words), chance.choice(words)
        content[start:end] = content[a:b]


def _cut_off(content: bytearray, chance: random.Random, other: bytes) -> None:
    del content[_place(content, chance) :]


def _remove(content: bytearray, chance: random.Random, other: bytes) -> None:
    at = _place(content, chance)
    del content[at : at + chance.choice((1, 2, 4, 16, 100))]


def _repeat(content: bytearray, chance: random.Random, other: bytes) -> None:
    at, size = _place(content, chance), chance.choice((1, 4, 16, 512))
    content[at:at] = content[at : at + size] * chance.choice((1, 2, 50))


def _fill(content: bytearray, chance: random.Random, other: bytes) -> None:
    at, size = _place(content, chance), chance.choice((2, 4, 8, 64))
    content[at : at + size] = bytes([chance.choice((0, 255, 32, 48))]) * size


def _splice(content: bytearray, chance: random.Random, other: bytes) -> None:
    at = _place(content, chance)
    content[at:] = other[min(at, len(other)) :]


def _insert_part(content: bytearray, chance: random.Random, other: bytes) -> None:
    start = chance.randrange(len(other)) if other else 0
    at = _place(content, chance)
    content[at:at] = other[start : start + chance.choice((4, 64, 512))]


MUTATIONS: tuple[Mutation, ...] = (
    *(_flip_bits, _flip_bits, _write_number, _write_number, _write_word, _write_word),
    *(_swap_words, _cut_off, _remove, _repeat, _fill, _splice, _insert_part),
)
