"""Tables of tab-separated values: read within limits, each fault told in one line."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from .errors import InputError
from .limits import check_file, proportionate


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
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: expected {what}, found: {reason}") from None
    found = [str(column) for column in frame.columns]
    for column in columns:
        if column not in found:
            raise InputError(f"{path}: column {column!r}: expected, found only {listed(found)}")
    return frame


def listed(names: Iterable[object], most: int = 20) -> str:
    """Names from a file, such as those of columns, in one line: quoted ones may hold line ends."""
    texts = [" ".join(str(name).split()) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
