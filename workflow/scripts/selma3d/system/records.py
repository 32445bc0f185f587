"""Records of processes and jobs: small JSON files, read by the types of their fields."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from .atomic import open_own

RECORD_BYTES = 1 << 20

Record = TypeVar("Record")


def read_record(path: Path, form: type[Record]) -> Record | None:
    """The record (a dataclass) in a file; None where there is none, or one that is not whole.

    Raises InputError for a link, pipe or device.
    """
    try:
        with open_own(path, "rb") as file:
            return _reader(form).validate_json(file.read(RECORD_BYTES))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


@cache
def _reader(form: type[Record]) -> TypeAdapter[Record]:
    return TypeAdapter(form)
