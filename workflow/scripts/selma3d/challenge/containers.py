"""Folders that the containers of an edition's platform read and write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..system.errors import InputError
from .edition import UNKNOWN, Edition
from .structure import Structure


def container_slugs(
    edition: Edition, structure: Structure, edition_file: Path
) -> dict[str, str | None]:
    """Folders below /input and /output for a structure's images and masks; how it is called.

    Raises InputError where the edition does not know them.
    """
    containers, scored_as = edition.containers, structure.scored_as
    output = containers.output
    output = output if isinstance(output, str) else output.get(scored_as, UNKNOWN)
    if UNKNOWN in (containers.input, output):
        raise InputError(
            f"{edition_file}: containers: expected the folders that a container of "
            f"{scored_as} structures reads and writes, found {UNKNOWN!r} (fill them in)"
        )
    return {
        "input": containers.input,
        "output": output,
        "kind": containers.kind,
        "inputs_key": containers.inputs_key,
    }


def named_inputs(folder: str, key: str | None) -> list[dict[str, Any]]:
    """The content of /input/inputs.json for one image in a folder below /input.

    key: `interface` or `socket`, of which a container needs `relative_path`.
    """
    slug = folder.rpartition("/")[2]
    image = {"name": "image.mha"}
    return [{"image": image, str(key): {"slug": slug, "kind": "Image", "relative_path": folder}}]
