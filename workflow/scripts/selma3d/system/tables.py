"""Tables of tab-separated values: read within limits, each fault told in one line."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from .errors import InputError
from .limits import check_file, proportionate

# pandas' words for a quote that is not closed; it counts lines from 0.
OPEN_QUOTE = re.compile(r"Error tokenizing data\. C error: EOF inside string starting at row (\d+)")


def read_tsv(
    path: str | Path,
    what: str = "a tab-separated table",
    columns: Collection[str] = (),
    **options: Any,
) -> pd.DataFrame:
    """Read a tab-separated table with a header.

    what: the kind of table, for messages. columns: that it must have, others may stand beside
    them. options: of pandas.read_csv, `sep` for a table that is separated otherwise. Raises
    InputError for what is absent, no file, too large or no such table.
    """
    path = Path(path)
    check_file(path, what, "TABLE_BYTES")
    try:
        with proportionate(path, what):
            frame = pd.read_csv(path, **{"sep": "\t", **options})
    except FileNotFoundError:
        raise InputError(f"{path}: expected {what}, found nothing") from None
    except ValueError as error:  # of which pandas' own errors are kinds
        reason = OPEN_QUOTE.sub(_in_editors_words, " ".join(str(error).split()))
        raise InputError(f"{path}: expected {what}, found: {reason}") from None
    check_columns(frame, columns, path)
    return frame


def _in_editors_words(found: re.Match) -> str:
    return f"a quote in line {int(found[1]) + 1} that is not closed (close it, or take it out)"


def check_columns(frame: pd.DataFrame, columns: Collection[str], path: Path) -> None:
    """Raise InputError where a table lacks one of the columns."""
    found = [str(column) for column in frame.columns]
    for column in columns:
        if column not in found:
            raise InputError(f"{path}: column {column!r}: expected, found only {listed(found)}")


def row_lines(path: Path, rows: int) -> list[int]:
    """The number of the line of each of a table's `rows`, as an editor counts them.

    Lines that begin with `#` are remarks; those and empty ones hold no row. The first of the others
    is the header.
    """
    with path.open("rb") as file:
        lines = [line.removeprefix(BOM_UTF8).strip(b" \r\n") for line in file]
    holding = [n for n, line in enumerate(lines, 1) if line and not line.startswith(b"#")]
    found = holding[1 : rows + 1]
    return found + [len(lines)] * (rows - len(found))  # the line ends of a program of its own


def check_cells(frame: pd.DataFrame, path: Path) -> None:
    """Raise InputError where cells of a table of texts are shifted, or one has swallowed others."""
    if not isinstance(frame.index, pd.RangeIndex):
        raise InputError(
            f"{path}: expected rows of {len(frame.columns)} cells as the header, found longer ones "
            "(take out what stands behind the last column, tabs too)"
        )
    for number, row in zip(row_lines(path, len(frame)), frame.to_dict("records"), strict=True):
        for name, cell in row.items():
            if any(sign in cell for sign in "\t\r\n"):
                found = " ".join(cell.split())[:60]
                raise InputError(
                    f"{path}, line {number}: {str(name).strip()}: expected a cell of one line, "
                    f"found {found!r} (close its quote, or take it out)"
                )


def without_spare(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of texts, its headings stripped, without columns that have no name and no content.

    Spreadsheets write those behind the last one.
    """
    spare = [
        name
        for name in frame
        if str(name).startswith("Unnamed: ") and not frame[name].str.strip().any()
    ]
    return frame.drop(columns=spare).rename(columns=lambda name: str(name).strip())


def listed(names: Iterable[object], most: int = 20) -> str:
    """Names from a file, such as those of columns, in one line: quoted ones may hold line ends."""
    texts = [" ".join(str(name).split()) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
