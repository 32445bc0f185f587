"""Effective speeds of GPUs and CPU threads, from config/speeds.tsv.

Effective: the operations of networks that are counted, by the time that whole jobs take, waiting
for data and augmentation included. So it is a fraction of what makers state.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..challenge.checking import nearest
from ..system.errors import InputError
from ..system.tables import read_tsv, row_lines

FILE = Path("config/speeds.tsv")
COLUMNS = ("name", "kind", "low", "likely", "high", "basis", "note")
KINDS, BASES = ("gpu", "cpu"), ("assumed", "measured")


@dataclass(frozen=True)
class Span:
    """A quantity with its range."""

    low: float
    likely: float
    high: float

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def times(self, factor: float) -> Span:
        """All of it so many times."""
        return Span(self.low * factor, self.likely * factor, self.high * factor)


NOTHING = Span(0.0, 0.0, 0.0)


def around(likely: float, factor: float) -> Span:
    """A quantity that is known within a factor."""
    return Span(likely / factor, likely, likely * factor)


@dataclass(frozen=True)
class Speed:
    """What computes, and its effective speed in TFLOP/s; of a CPU, that of one thread."""

    name: str
    kind: str
    tflops: Span
    basis: str

    def seconds(self, operations: float, threads: int = 1) -> Span:
        """Time for so many operations; threads: of a CPU, which share them."""
        rate = self.tflops.times(1e12 * (threads if self.kind == "cpu" else 1))
        return Span(operations / rate.high, operations / rate.likely, operations / rate.low)


def read_speeds(path: Path) -> dict[str, Speed]:
    """The table's rows by name. Raises InputError."""
    table = read_tsv(path, "a table of speeds", COLUMNS, dtype=str, keep_default_na=False)
    speeds = {}
    lines = row_lines(path, len(table))
    for number, row in zip(lines, table.to_dict("records"), strict=True):
        where = f"{path}: line {number}"
        for key, known in (("kind", KINDS), ("basis", BASES)):
            if row[key] not in known:
                raise InputError(
                    f"{where}: {key}: expected {' or '.join(known)}, found {row[key]!r}"
                )
        try:
            span = Span(*(float(row[key]) for key in ("low", "likely", "high")))
        except ValueError:
            span = NOTHING
        if not 0 < span.low <= span.likely <= span.high < float("inf"):
            found = ", ".join(row[key] for key in ("low", "likely", "high"))
            raise InputError(
                f"{where}: low, likely, high: expected TFLOP/s above 0 that rise, found {found}"
            )
        if row["name"] in speeds:
            raise InputError(f"{where}: name: expected each once, found {row['name']!r} again")
        speeds[row["name"]] = Speed(row["name"], row["kind"], span, row["basis"])
    for kind in KINDS:
        if not any(speed.kind == kind for speed in speeds.values()):
            raise InputError(f"{path}: kind: expected a row of kind {kind}, found none")
    return speeds


def chosen(speeds: dict[str, Speed], name: str | None, kind: str) -> Speed:
    """The row of a name, or the first of a kind. Raises InputError for a name that is not there."""
    if name is None:
        return next(speed for speed in speeds.values() if speed.kind == kind)
    if name not in speeds:
        raise InputError(f"gpu: no {name!r} in {FILE}{nearest(name, list(speeds))}")
    return speeds[name]
