"""Options of a recipe's section, checked against the constructor that takes them.

A network or task states its options once: as keyword-only arguments with types and defaults.
"""

from __future__ import annotations

import difflib
import inspect
import math
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from ...system.errors import InputError


@dataclass(frozen=True)
class Within:
    """Limits of a number, both included."""

    low: float
    high: float = math.inf

    def __str__(self) -> str:
        return f"at least {self.low:g}" if self.high == math.inf else f"{self.low:g}–{self.high:g}"


Share = Annotated[float, Within(0, 1)]
Temperature = Annotated[float, Within(0.01, 1)]
Count = Annotated[int, Within(1)]
Size = tuple[Count, Count, Count]  # z, y, x in voxels
Stride = Count | Size


class _WrongTypeError(Exception):
    """The value is not what the argument wants."""


def checked(constructor: Callable, given: dict[str, Any], where: str) -> dict[str, Any]:
    """Return every keyword-only argument of `constructor`, as given or by its default.

    Lists become tuples. Raises InputError for an unknown key, a missing one and a wrong type.
    """
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(constructor).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for key in given:
        if key not in parameters:
            raise InputError(f"{where}: {key}: unknown key, {meant(key, list(parameters))}")
    hints = get_type_hints(
        constructor.__init__ if inspect.isclass(constructor) else constructor, include_extras=True
    )
    options = {}
    for name, parameter in parameters.items():
        value = given.get(name, parameter.default)
        try:
            options[name] = _fitted(value, hints[name])
        except _WrongTypeError:
            found = "nothing" if value is inspect.Parameter.empty else repr(value)
            raise InputError(
                f"{where}: {name}: expected {_described(hints[name])}, found {found}"
            ) from None
    return options


def meant(word: str, known: list[str]) -> str:
    """What to do about an unknown word: the closest known one, or all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"expected one of {', '.join(known)}"


def _fitted(value: Any, hint: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        value = _fitted(value, arguments[0])
        if not arguments[1].low <= value <= arguments[1].high:
            raise _WrongTypeError
        return value
    if origin in (Union, types.UnionType):
        return _first_fit(value, arguments)
    if origin is Literal:
        if value in arguments:
            return value
    elif origin is tuple:
        return _fitted_tuple(value, arguments)
    elif hint is float and type(value) in (int, float):
        return float(value)
    elif type(value) is hint:
        return value
    raise _WrongTypeError


def _first_fit(value: Any, hints: tuple) -> Any:
    for hint in hints:
        try:
            return _fitted(value, hint)
        except _WrongTypeError:
            continue
    raise _WrongTypeError


def _fitted_tuple(value: Any, hints: tuple) -> tuple:
    if not isinstance(value, list | tuple):
        raise _WrongTypeError
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(value)
    if len(hints) != len(value):
        raise _WrongTypeError
    return tuple(_fitted(item, hint) for item, hint in zip(value, hints, strict=True))


def _described(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return f"{_described(arguments[0])} {arguments[1]}"
    if origin in (Union, types.UnionType):
        return " or ".join(_described(argument) for argument in arguments)
    if origin is Literal:
        return "one of " + ", ".join(str(argument) for argument in arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"a list, each {_described(arguments[0])}"
    if origin is tuple:
        return f"a list of {len(arguments)}, each {_described(arguments[0])}"
    return {
        bool: "true or false", int: "an integer", float: "a number", types.NoneType: "nothing"
    }.get(hint, str(getattr(hint, "__name__", hint)))  # fmt: skip
