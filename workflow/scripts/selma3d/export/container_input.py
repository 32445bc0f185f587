"""The settings of a container, and the image that its platform hands to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ..challenge.checking import Model, check
from ..system.errors import InputError
from ..system.fingerprint import visible
from ..system.json_text import parsed_json
from ..system.limits import check_file

SUFFIXES = (".mha", ".tif", ".tiff")
INPUTS = "inputs.json"
PORT = 4743  # where the platform calls a server


# Shell scripts hold it.
Folder = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9_-]*)*\Z")]


class ContainerSettings(Model):
    """What a packed container does, as its container.json says."""

    structure: str = Field(description="that the model segments")
    channel: int = Field(ge=0, description="of an image with several")
    overlap: float = Field(ge=0, lt=1, description="of neighbouring windows")
    input: Folder = Field(description="folder below /input")
    output: Folder = Field(description="folder below /output")
    kind: Literal["process", "server"] = Field("process", description="how it is called")
    inputs_key: Literal["interface", "socket"] | None = Field(
        None, description="under which inputs.json names an input"
    )


def read_settings(context: Path) -> ContainerSettings:
    """The settings of a container's context. Raises InputError."""
    file = context / "container.json"
    return check(ContainerSettings, _json(file), file)


def image_of(input_root: Path, settings: ContainerSettings) -> Path:
    """The one image that is to be segmented.

    What inputs.json names is compared with the settings and never followed. Raises InputError where
    it names no such input or several, and where the folder holds anything but one image.
    """
    if settings.inputs_key:
        _check_named(input_root / INPUTS, settings)
    return only_image(input_root / settings.input)


def only_image(folder: Path) -> Path:
    """The one image in a folder. Raises InputError."""
    found = [f for f in visible(folder) if f.suffix.lower() in SUFFIXES]
    if len(found) != 1:
        raise InputError(
            f"{folder}: expected one image ({', '.join(SUFFIXES)}), "
            f"found {', '.join(f.name for f in found) or 'none'}"
        )
    if found[0].is_symlink() or not found[0].is_file():
        raise InputError(f"{found[0]}: expected a file, found a link or something else")
    return found[0]


def _check_named(file: Path, settings: ContainerSettings) -> None:
    """Raise InputError unless one input of inputs.json lies in the folder of the settings."""
    inputs, key = _json(file), settings.inputs_key
    if not isinstance(inputs, list):
        raise InputError(f"{file}: expected a list of inputs, found {type(inputs).__name__}")
    named = [each[key] for each in inputs if isinstance(each, dict) and key in each]
    places = [each.get("relative_path") for each in named if isinstance(each, dict)]
    if places.count(settings.input) != 1:
        shown = ", ".join(str(place)[:80] for place in places[:5]) or "none"
        raise InputError(
            f"{file}: {key}: expected one input with relative_path {settings.input}, found {shown}"
        )


def _json(file: Path) -> Any:
    try:
        check_file(file, "a JSON file", "TEXT_BYTES")
        return parsed_json(file.read_bytes(), file)
    except FileNotFoundError:
        raise InputError(f"{file}: expected a JSON file, found nothing") from None
