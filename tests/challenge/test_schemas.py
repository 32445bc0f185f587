"""What editors and readers are told of the settings is what the models check."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from selma3d.challenge.schemas import MODELS, generated


def test_schemas_and_tables_of_keys_are_those_of_the_models(repository):
    stale = [
        str(file.relative_to(repository))
        for file, text in generated(repository).items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "python -m selma3d.challenge.schemas writes them anew"


@pytest.mark.parametrize("folder", ["editions", "methods"])
def test_every_shipped_file_obeys_its_schema(repository, folder):
    schema = json.loads(
        generated(repository)[
            repository / "workflow" / "schemas" / f"{folder.removesuffix('s')}.schema.json"
        ]
    )
    for file in (repository / "config" / folder).glob("*.yaml"):
        jsonschema.validate(yaml.safe_load(file.read_text()), schema)


def test_every_setting_has_a_description():
    for name, model in MODELS.items():
        schema = model.model_json_schema()
        for part in [schema, *schema["$defs"].values()] if "$defs" in schema else [schema]:
            for key, field in part.get("properties", {}).items():
                assert "description" in field or "$ref" in field, f"{name}: {key}"
