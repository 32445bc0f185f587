"""Plain data of dataclasses, read back by the types of their fields; records in JSON files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import TypeAdapter

from .atomic import open_own

RECORD_BYTES = 1 << 20

Record = TypeVar("Record")


class Plain:
    """A dataclass that travels between rules and scripts, or in a file, as plain data."""

    def plain(self) -> dict[str, Any]:
        """The same as texts, numbers, lists and mappings."""
        return _form(type(self)).dump_python(self, mode="json")

    @classmethod
    def read(cls, plain: object) -> Self:
        """Build it again from what `plain` gave."""
        return _form(cls).validate_python(plain)


def read_record(path: Path, form: type[Record]) -> Record | None:
    """The record (a dataclass) in a file; None where there is none, or one that is not whole.

    Raises InputError for a link, pipe or device.
    """
    try:
        with open_own(path, "rb") as file:
            return _form(form).validate_json(file.read(RECORD_BYTES))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


@cache
def _form(form: type[Record]) -> TypeAdapter[Record]:
    return TypeAdapter(form)
