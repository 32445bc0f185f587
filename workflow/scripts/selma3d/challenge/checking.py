"""Settings and tables checked against models, each fault told in one line."""

from __future__ import annotations

import difflib
import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Self, TypeVar, Union, get_args, get_origin

import pydantic
import yaml
from pydantic import Field

from ..system.errors import InputError
from ..system.limits import check_file, check_limit, proportionate

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it is built
MOST_LINES = 20  # of one file's faults; the rest are counted

# pydantic's kinds of fault -> the type that was expected, as JSON and YAML name it.
TYPES = {
    "string_type": "string",
    "int_type": "integer",
    "int_from_float": "integer",
    "int_parsing": "integer",
    "float_type": "number",
    "float_parsing": "number",
    "bool_type": "boolean",
    "tuple_type": "array",
    "list_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "none_required": "null",
}
# pydantic's kinds of fault -> what was expected, by its words for the bound.
BOUNDS = {
    "string_pattern_mismatch": "text like {pattern}",
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt:g}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
}
KEY_FAULTS = ("extra_forbidden", "missing")
Place = tuple[str | int, ...]  # keys and positions that lead to a value


Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Model(pydantic.BaseModel):
    """Settings that know their own types and bounds; frozen, and strict about both.

    No key beside the fields is accepted, and no text where a number is due. YAML's lists become
    tuples. Between rules and scripts travels `plain()`, from which `read` builds the same again.
    """

    model_config = pydantic.ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        regex_engine="python-re",
        protected_namespaces=(),
    )

    def plain(self) -> dict[str, Any]:
        """The keys that were given, as plain data."""
        return self.model_dump(mode="json", exclude_unset=True)

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        """Build it again from plain data."""
        return check(cls, plain, cls.__name__)


AnyModel = TypeVar("AnyModel", bound=Model)


class Faults:
    """Faults of several files, collected so that a user sees and mends them all at once."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        """Keep the lines of a message, each once."""
        self.lines += [line for line in text.splitlines() if line not in self.lines]

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep the message of an InputError and go on behind the block."""
        try:
            yield
        except InputError as error:
            self.note(str(error))

    def check(self) -> None:
        """Raise InputError with every line, if there is any."""
        if self.lines:
            raise InputError("\n".join(self.lines))


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; InputError if the file is absent, malformed or not a mapping."""
    try:
        check_file(path, "a YAML file", "TEXT_BYTES")
        with proportionate(path, "YAML"):
            text = path.read_text(encoding="utf-8")
            _check_yaml(text, path)
            content = yaml.load(text, Loader=LOADER)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{_nearest_file(path)}") from None
    except OSError as error:
        raise InputError(f"{path}: expected YAML, found a file not to be read: {error}") from None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{path}: expected YAML, found a syntax error: {problem}") from None
    except ValueError as error:  # such as the 30th of February, or a number of 9,000 digits
        raise InputError(f"{path}: expected YAML, found an impossible value: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping, found {type(content).__name__}")
    return content


def _check_yaml(text: str, path: Path) -> None:
    """Raise InputError for a text with too many values or levels once its aliases are replaced."""
    opened: list[tuple[str | None, int]] = []  # anchor, and the count when it was opened
    of_anchor: dict[str, int] = {}
    count = 0
    for event in yaml.parse(text, Loader=LOADER):
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            if any(name == anchor for name, _ in opened):
                raise InputError(f"{path}: expected YAML, found an alias within what it stands for")
            count += of_anchor.get(anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((anchor, count))
            count += 1
            check_limit(path, "levels of lists and mappings", len(opened), "DEPTH")
        elif isinstance(event, yaml.CollectionEndEvent):
            name, before = opened.pop()
            if name is not None:
                of_anchor[name] = count - before
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if anchor is not None:
                of_anchor[anchor] = 1
        check_limit(path, "values, aliases replaced", count, "NODES")


def check_nodes(content: Any, source: str | Path) -> None:
    """Raise InputError for plain data of too many values or levels; shared ones count again."""
    count, left = 0, [(content, 1)]
    while left:
        value, depth = left.pop()
        count += 1
        if isinstance(value, Mapping):
            left += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list | tuple):
            left += [(item, depth + 1) for item in value]
        else:
            continue
        check_limit(source, "levels of lists and mappings", depth, "DEPTH")
        check_limit(source, "values, aliases replaced", count + len(left), "NODES")


def check(model: type[AnyModel], content: Mapping[str, Any], source: str | Path) -> AnyModel:
    """Build a model from what a file holds.

    Raises InputError with a line a fault, `<source>: <key.path>: expected …, found …`. Unknown keys
    come first, each with its nearest known neighbour: a misspelt key is the commonest mistake, and
    what else is reported may follow from it.
    """
    check_nodes(content, source)
    plain = json.dumps(content, default=str)
    try:
        return model.model_validate_json(plain)
    except pydantic.ValidationError as error:
        lines = _lines(model, json.loads(plain), error)
    raise InputError(_joined(f"{source}: {line}" for line in lines)) from None


def salvaged(
    model: type[AnyModel], content: Mapping[str, Any], fallback: Mapping[str, Any] | None = None
) -> AnyModel | None:
    """What is left of faulty content, so that other faults can still be looked for.

    A faulty key is replaced by that of `fallback`, whole, or else left out. None if that does not
    make a model.
    """
    plain = json.loads(json.dumps(content, default=str))
    for _ in range(len(plain) + 8):
        try:
            return model.model_validate_json(json.dumps(plain))
        except pydantic.ValidationError as error:
            for fault in error.errors(include_url=False, include_context=False):
                place = _split(tuple(fault["loc"]), plain)[0]
                if place and fallback and place[0] in fallback:
                    plain[place[0]] = json.loads(json.dumps(fallback[place[0]], default=str))
                elif place and isinstance(_at(plain, place[:-1]), dict):
                    _at(plain, place[:-1]).pop(place[-1], None)
    return None


def read_table(path: Path, model: type[AnyModel]) -> tuple[AnyModel, ...]:
    """Read a tab-separated table with a header; each row becomes a model.

    Cells are text (empty for absent), or what the model's fields read from it; they may hold `#`
    or stand in quotes, but hold no tab and no line end: those come from a quote that is not closed.
    Lines that begin with `#` are comments, columns without name and content are left out. Raises
    InputError naming column and line.
    """
    # Most of those who check settings read no table.
    from ..system.tables import check_cells, check_columns, read_tsv, row_lines, without_spare

    if not path.exists():
        raise InputError(f"{path}: no such file{_nearest_file(path)}")
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    frame = read_tsv(
        path, "a tab-separated table", dtype=str, keep_default_na=False, skiprows=_remarks(path)
    )
    check_cells(frame, path)
    frame = without_spare(frame)
    check_columns(frame, required, path)
    for name in frame.columns:
        if name not in model.model_fields:
            known = list(model.model_fields)
            raise InputError(f"{path}: column {name!r}: unknown key{nearest(name, known)}")
    rows, faults = [], []
    lines = row_lines(path, len(frame))
    for number, row in zip(lines, frame.to_dict("records"), strict=True):
        try:
            rows.append(model.model_validate_strings(row))
        except pydantic.ValidationError as error:
            faults += [f"{path}, line {number}: {line}" for line in _lines(model, row, error)]
    if faults:
        raise InputError(_joined(faults))
    return tuple(rows)


def _remarks(path: Path) -> list[int]:
    """The numbers of the lines that begin with `#`; elsewhere in a line it is data."""
    check_file(path, "a table", "TABLE_BYTES")
    with path.open("rb") as file:
        return [n for n, line in enumerate(file) if line.removeprefix(BOM_UTF8).startswith(b"#")]


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint at the known word that is most like another, or at all that are known."""
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f", did you mean {near[0]!r}?"
    return f" (known: {', '.join(known)})" if known else ""


def _joined(lines) -> str:
    lines = list(lines)
    more = len(lines) - MOST_LINES
    return "\n".join([*lines[:MOST_LINES], *([f"and {more} more faults"] if more > 0 else [])])


def _lines(model: type[Model], content: Any, error: pydantic.ValidationError) -> list[str]:
    """A line a fault, unknown keys first."""
    faults = error.errors(include_url=False)
    unknown, absent = [], []
    suggested = set()
    for fault in faults:
        if fault["type"] not in KEY_FAULTS:
            continue
        *parents, key = fault["loc"]
        place = _split(tuple(parents), content)[0]
        if fault["type"] == "extra_forbidden":
            known = [n for owner in _models_at(model, place) for n in owner.model_fields]
            hint = nearest(str(key), known)
            suggested |= {(place, name) for name in known if f"{name!r}?" in hint}
            unknown.append(f"{_dotted((*place, key))}: unknown key{hint}")
        else:
            absent.append((place, key))
    missing = [
        f"{_dotted(place)}: {_absent(key, _at(content, place))}"
        for place, key in dict.fromkeys(absent)
        if (place, key) not in suggested
    ]
    values = [(tuple(f["loc"]), f) for f in faults if f["type"] not in KEY_FAULTS]
    return unknown + missing + _values(values, (), content)


def _values(faults: list[tuple[Place, Any]], above: Place, content: Any) -> list[str]:
    """A line a faulty value; of a union's branches, the one that fits best speaks for all."""
    lines = []
    inside = {place[:depth] for place, _ in faults for depth in range(len(place))}
    branches: dict[Place, dict[str | int, list[tuple[Place, Any]]]] = {}
    for location, fault in faults:
        if fault["type"] in ("too_short", "too_long") and location in inside:
            continue  # faulty entries are not counted
        place, branch, rest = _split(location, content)
        if branch is None:
            lines.append(_line((*above, *place), [fault]))
        else:
            branches.setdefault(place, {}).setdefault(branch, []).append((rest, fault))
    for place, of_branch in branches.items():
        inner = [found for found in of_branch.values() if all(rest for rest, _ in found)]
        if inner:
            best = min(inner, key=len)
            lines += _values(best, (*above, *place), _at(content, place))
        else:
            here = [fault for found in of_branch.values() for rest, fault in found if not rest]
            lines.append(_line((*above, *place), here))
    return lines


def _absent(key: str | int, found: Any) -> str:
    if isinstance(key, int):  # of a list of fixed length
        return f"expected an entry number {key + 1}, found only {found}"
    return f"expected the key {key!r}, found only {sorted(found)}"


def _line(place: Place, faults: list[Any]) -> str:
    """What was expected at a place, by one fault or by each branch of a union, and found."""
    own = [fault for fault in faults if fault["type"] in ("value_error", "assertion_error")]
    if own:
        message = str(own[0]["ctx"]["error"])
        return f"{_dotted(place)}: {message}" if place else message
    found = repr(faults[0]["input"])
    found = found if len(found) <= 80 else f"{found[:77]}..."
    expected = " or ".join(dict.fromkeys(_expected(fault) for fault in faults))
    choices = [choice for fault in faults for choice in _choices(fault)]
    near = difflib.get_close_matches(str(faults[0]["input"]), choices, n=1)
    hint = f", did you mean {near[0]!r}?" if near else _unquoted(faults[0])
    return f"{_dotted(place)}: expected {expected}, found {found}{hint}"


def _unquoted(fault: Any) -> str:
    """How a number or a boolean that was read as text is stated, or ""."""
    text, types = fault["input"], {"int_type": int, "float_type": (int, float), "bool_type": bool}
    if not isinstance(text, str) or len(text) > 40 or fault["type"] not in types:
        return ""
    try:
        is_one = isinstance(yaml.safe_load(text), types[fault["type"]])
    except (yaml.YAMLError, ValueError):
        is_one = False
    return (
        " (text: state it in a configuration file, without quotes; Snakemake's --config makes text "
        "of all that stands in brackets)"
        if is_one
        else ""
    )


def _expected(fault: Any) -> str:
    kind = fault["type"]
    if kind == "literal_error":
        choices = [choice or "''" for choice in _choices(fault)]
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    if kind in BOUNDS:
        return BOUNDS[kind].format(**fault["ctx"])
    return TYPES.get(kind, fault["msg"])


def _choices(fault: Any) -> list[str]:
    if fault["type"] != "literal_error":
        return []
    expected = fault["ctx"]["expected"]  # such as: 'pixel', 'voxel' or 3
    return [
        quoted if quote else bare
        for quote, quoted, bare in re.findall(r"(')([^']*)'|([\w.-]+)(?=,|$| or )", expected)
    ]


def _split(location: Place, content: Any) -> tuple[Place, str | int | None, Place]:
    """The place that a location names, up to the first branch of a union; branch; the rest.

    pydantic puts the names of branches between keys: a part that is no key of the content is such
    a name.
    """
    place: list[str | int] = []
    for depth, part in enumerate(location):
        if part == "[key]":  # the fault is the key's own
            continue
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return tuple(place), part, location[depth + 1 :]
        place.append(part)
    return tuple(place), None, ()


def _at(content: Any, place: Place) -> Any:
    for part in place:
        content = content[part]
    return content


def _models_at(annotation: Any, place: Place) -> list[type[Model]]:
    """The models that a place may hold, over all branches of unions on the way."""
    origin = get_origin(annotation)
    if hasattr(annotation, "__metadata__"):
        return _models_at(annotation.__origin__, place)
    if origin in (Union, UnionType):
        return [model for branch in get_args(annotation) for model in _models_at(branch, place)]
    if isinstance(annotation, type) and issubclass(annotation, Model):
        if not place:
            return [annotation]
        field = annotation.model_fields.get(str(place[0]))
        return _models_at(field.annotation, place[1:]) if field else []
    if not place:
        return []
    if origin in (dict, Mapping):
        return _models_at(get_args(annotation)[1], place[1:])
    return [
        model
        for item in get_args(annotation)
        if item is not Ellipsis
        for model in _models_at(item, place[1:])
    ]


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place) or "(top level)"


def _nearest_file(path: Path) -> str:
    siblings = [entry.name for entry in path.parent.glob("*")] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    return f", did you mean {near[0]!r}?" if near else ""
