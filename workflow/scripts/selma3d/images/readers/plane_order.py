"""The order of plane files, from the one number that differs between their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import count, islice, pairwise
from pathlib import Path

from ...system.errors import InputError


def in_order(folder: Path, files: Sequence[Path]) -> tuple[list[Path], range]:
    """`files` by their plane number, whatever its width (z9 before z10); and the numbers.

    Raises InputError unless exactly one number differs, each value occurs once, and the values
    are evenly spaced: what is missing or double is named.
    """
    numbered = sorted(zip(_plane_numbers(folder, files), files, strict=True))
    for (number, file), (following, other) in pairwise(numbered):
        if number == following:
            raise InputError(
                f"{folder}: expected each plane once, found number {number} twice: "
                f"{file.name} and {other.name}"
            )
    numbers = [number for number, _ in numbered]
    step = min((following - number for number, following in pairwise(numbers)), default=1)
    first, last, known = numbers[0], numbers[-1], set(numbers)
    # A name may state any number: what is missing is counted, not listed.
    missing = -(-(last - first) // step) - sum((n - first) % step == 0 for n in numbers[:-1])
    if missing:
        absent = (n for n in count(first, step) if n not in known)
        listed = ", ".join(map(str, islice(absent, min(missing, 5))))
        raise InputError(
            f"{folder}: expected planes {first} to {last} in steps of {step}, found "
            f"{missing} missing: {listed}{', …' if missing > 5 else ''} (copy them too)"
        )
    return [file for _, file in numbered], range(numbers[0], numbers[-1] + 1, step)


def _plane_numbers(folder: Path, files: Sequence[Path]) -> list[int]:
    # Odd entries are the numbers, with a minus before them, even ones the text between them. Right
    # behind a digit, as in a time 13-36-04-30000, it is a hyphen.
    parts = {file: re.split(r"((?:(?<!\d)[-+])?\d+)", file.name) for file in files}
    patterns = Counter(tuple(part[::2]) for part in parts.values())
    if len(patterns) > 1:
        usual, *_, rare = (pattern for pattern, _ in patterns.most_common())
        example, odd = (
            next(file.name for file, part in parts.items() if tuple(part[::2]) == pattern)
            for pattern in (usual, rare)
        )
        raise InputError(
            f"{folder}: expected names that differ in one number only, found {odd} beside {example}"
        )
    fields = zip(*(part[1::2] for part in parts.values()), strict=True)
    varying = [field for field in fields if len({int(number) for number in field}) > 1]
    if len(varying) > 1:
        raise InputError(
            f"{folder}: expected names that differ in one number only, found {len(varying)} that "
            f"differ: {files[0].name}, {files[-1].name} (name a pattern for each channel in the "
            "samples table, such as *_C00_*.tif,*_C01_*.tif, or one folder for each)"
        )
    # Names that differ only in the width of a number, such as z1 and z01, are duplicates.
    return _signed(folder, files, varying[0]) if varying else [0] * len(files)


def _signed(folder: Path, files: Sequence[Path], numbers: Sequence[str]) -> list[int]:
    """The values of numbers, some or all with a minus before them: a sign, or a hyphen.

    Where all have one, it is a hyphen before padded numbers and before those that count planes.
    Raises InputError where stage positions below 0 would look the same.
    """
    values = [int(number) for number in numbers]
    if not all(number.startswith("-") for number in numbers):
        return values
    counted = sorted(-value for value in values)
    starts = counted[0] in (0, 1) and counted == list(range(counted[0], counted[0] + len(values)))
    if starts or any(number.startswith("-0") and number != "-0" for number in numbers):
        return [-value for value in values]
    raise InputError(
        f"{folder}: expected plane numbers, found a minus before all of them, which may be a sign "
        f"or a hyphen: {files[0].name}, {files[-1].name} (rename them to numbers from 0)"
    )
