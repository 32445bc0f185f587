"""JSON schemas for editors, and the tables of config/README.md, written from the models.

    python -m selma3d.challenge.schemas

Writes workflow/schemas/<name>.schema.json and what stands between the marks in config/README.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .checking import Model
from .config import Config
from .edition import Edition
from .method_file import MethodFile
from .recipe import Recipe
from .samples import Sample

ROOT = Path(__file__).resolve().parents[4]
MODELS: dict[str, type[Model]] = {
    "config": Config,
    "edition": Edition,
    "method": MethodFile,
    "recipe": Recipe,
    "samples": Sample,
}
BOUNDS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
}

Schema = dict[str, Any]  # JSON schema of a value


def generated(root: Path = ROOT) -> dict[Path, str]:
    """Content by file of everything that is written from the models."""
    schemas = {
        root / "workflow" / "schemas" / f"{name}.schema.json": _as_json(model)
        for name, model in MODELS.items()
    }
    readme = root / "config" / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name, model in MODELS.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        text = pattern.sub(lambda _, m=model, b=begin, e=end: f"{b}{table(m)}{e}", text)
    return schemas | {readme: text}


def table(model: type[Model]) -> str:
    """A Markdown table of all keys of a model: what each may hold, and its meaning."""
    schema = model.model_json_schema()
    rows = ["| key | value | meaning |", "|---|---|---|"]
    rows += [
        f"| `{key}` | {_value(field, schema)} | {_meaning(field, schema)} |"
        for key, field in _fields(schema, schema, "")
    ]
    return "\n".join(rows) + "\n"


def _as_json(model: type[Model]) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= model.model_json_schema()
    text = json.dumps(schema, indent=1, ensure_ascii=False)
    return text.replace(r"\\Z", "$") + "\n"  # the end of a text, as editors write it


def _fields(schema: Schema, whole: Schema, above: str) -> Iterator[tuple[str, Schema]]:
    """(dotted key, its schema) of a mapping's keys and of the mappings in them."""
    for name, field in schema.get("properties", {}).items():
        key = f"{above}{name}"
        yield key, field
        for place, inner in _mappings(field, whole, key):
            yield from _fields(inner, whole, f"{place}.")


def _mappings(field: Schema, whole: Schema, key: str) -> Iterator[tuple[str, Schema]]:
    """The mappings with known keys that a field may hold, and where: `key` or `key.<name>`."""
    field = _resolved(field, whole)
    if "properties" in field:
        yield key, field
    for branch in field.get("anyOf", []):
        yield from _mappings(branch, whole, key)
    named = [field.get("additionalProperties"), *field.get("patternProperties", {}).values()]
    for values in named:
        if isinstance(values, dict):
            yield from _mappings(values, whole, f"{key}.<name>")


def _meaning(field: Schema, whole: Schema) -> str:
    text = field.get("description") or _resolved(field, whole).get("description", "")
    return " ".join(text.split()).replace("|", "\\|")


def _value(field: Schema, whole: Schema) -> str:
    """The type, the choices and the bounds of a field, and its default."""
    text = _kind(field, whole)
    default = field.get("default")
    if default in (None, []) or isinstance(default, dict):
        return text
    return f"{text}; default {json.dumps(default)}"


def _kind(field: Schema, whole: Schema) -> str:
    field = _resolved(field, whole)
    if "anyOf" in field:
        kinds = [_kind(b, whole) for b in field["anyOf"] if b.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{choice}`" if choice else "empty" for choice in field["enum"])
    match field.get("type"):
        case "array":
            items = field.get("prefixItems")
            if items:
                return f"{len(items)} × {_kind(items[0], whole)}"
            return f"list of {_kind(field.get('items', {}), whole)}"
        case "object":
            return "mapping"
        case "integer" | "number" as kind:
            bounds = [f"{sign} {field[name]:g}" for name, sign in BOUNDS.items() if name in field]
            return " ".join([kind, ", ".join(bounds)]).strip()
        case "boolean":
            return "true or false"
        case "string":
            return "text"
    return "anything"


def _resolved(field: Schema, whole: Schema) -> Schema:
    """The definition that a field refers to, or the field itself."""
    reference = field.get("$ref")
    return whole["$defs"][reference.rpartition("/")[2]] if reference else field


def main() -> None:
    """Write all of it."""
    for file, text in generated().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
