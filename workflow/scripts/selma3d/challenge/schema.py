"""Check settings and tables against JSON schemas; say what is wrong in one line."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import yaml
from jsonschema.exceptions import best_match

from ..system.errors import InputError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it is built
SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; InputError if the file is absent, malformed or not a mapping."""
    try:
        content = yaml.load(path.read_text(), Loader=LOADER)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{_nearest_file(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected YAML, found a file not to be read: {error}") from None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{path}: expected YAML, found a syntax error: {problem}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a mapping, found {type(content).__name__}")
    return content


def check(content: dict[str, Any], schema: str, source: str | Path) -> None:
    """Raise InputError for the most telling violation of `workflow/schemas/<schema>.schema.yaml`.

    Unknown keys come first, each with its nearest known neighbour: a misspelt key is the commonest
    mistake, and everything else that is reported may follow from it.
    """
    rules = load_yaml(SCHEMAS / f"{schema}.schema.yaml")
    validator = jsonschema.Draft202012Validator(rules)
    violations = list(validator.iter_errors(content))
    if not violations:
        return
    unknown = [v for v in violations if v.validator == "additionalProperties"]
    if unknown:
        violation = unknown[0]
        known = list(violation.schema.get("properties", {}))
        extra = sorted(set(violation.instance) - set(known))
        place = ".".join(str(part) for part in [*violation.absolute_path, extra[0]])
        raise InputError(f"{source}: {place}: unknown key{_suggest(extra[0], known)}")
    violation = best_match(violations)
    place = ".".join(str(part) for part in violation.absolute_path) or "(top level)"
    raise InputError(f"{source}: {place}: {_explain(violation)}")


def read_table(path: Path, schema: str) -> pd.DataFrame:
    """Read a TSV of strings (empty for absent) whose rows obey `<schema>.schema.yaml`.

    Raises InputError naming the line and column.
    """
    try:
        frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, comment="#")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{_nearest_file(path)}") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a tab-separated table, found: {error}") from None
    rules = load_yaml(SCHEMAS / f"{schema}.schema.yaml")
    missing = [name for name in rules["required"] if name not in frame.columns]
    if missing:
        raise InputError(
            f"{path}: column {missing[0]!r}: expected, found only {', '.join(frame.columns)}"
        )
    for number, row in enumerate(frame.to_dict("records"), start=2):
        check(row, schema, f"{path}, row {number}")
    return frame


def _explain(violation: jsonschema.ValidationError) -> str:
    found = repr(violation.instance)
    found = found if len(found) <= 80 else f"{found[:77]}..."
    match violation.validator:
        case "required":
            absent = sorted(set(violation.validator_value) - set(violation.instance))
            return f"expected the key {absent[0]!r}, found only {sorted(violation.instance)}"
        case "enum":
            known = [str(value) for value in violation.validator_value]
            return (
                f"expected one of {', '.join(known)}, "
                f"found {found}{_suggest(str(violation.instance), known)}"
            )
        case "type":
            expected = violation.validator_value
            kinds = expected if isinstance(expected, str) else " or ".join(expected)
            return f"expected {kinds}, found {found}"
        case "pattern":
            return f"expected text like {violation.validator_value}, found {found}"
        case "minimum" | "exclusiveMinimum":
            return f"expected at least {violation.validator_value}, found {found}"
        case "maximum" | "exclusiveMaximum":
            return f"expected at most {violation.validator_value}, found {found}"
        case _:
            return f"{violation.message} (expected {violation.validator})"


def _suggest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f", did you mean {near[0]!r}?"
    return f" (known: {', '.join(known)})" if known else ""


def _nearest_file(path: Path) -> str:
    siblings = [entry.name for entry in path.parent.glob("*")] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    return f", did you mean {near[0]!r}?" if near else ""
