"""JSON from outside: parsed whole, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .errors import InputError
from .limits import limit, proportionate


def parsed_json(content: bytes | str, where: str | Path) -> Any:
    """The value that a text, or its bytes in UTF-8, states; `where` begins the line of an error.

    Raises InputError for anything but JSON, and for more levels than any such text has.
    """
    try:
        with proportionate(where, "JSON"):
            value = json.loads(content)
            _check_depth(value)
            return value
    except ValueError as error:
        raise InputError(f"{where}: expected JSON, found another text ({error})") from None


def _check_depth(value: Any) -> None:
    """Raise RecursionError for more levels, one in the other, than are allowed.

    A parser stops only at the depth of Python's stack; what walks the value later would not.
    """
    left = [(value, 0)]
    while left:
        value, depth = left.pop()
        if depth > limit("DEPTH"):
            raise RecursionError
        if isinstance(value, list | dict):
            below = value if isinstance(value, list) else value.values()
            left += [(item, depth + 1) for item in below if isinstance(item, list | dict)]
