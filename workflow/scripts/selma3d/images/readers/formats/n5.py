"""N5: an array, a pyramid of them, one a channel, or the set-ups of BigDataViewer."""

from __future__ import annotations

from pathlib import Path

from ....system.errors import InputError
from ...geometry import Geometry
from ..chunked_array import ChunkedImage
from ..folder_tree import Json, below, read_json
from ..image_file import ImageFile
from ..length_units import um_in
from . import Format

ATTRIBUTES = "attributes.json"


def is_n5(path: Path) -> bool:
    """Whether a folder is an N5 group or array."""
    return (path / ATTRIBUTES).is_file() or path.suffix.lower() == ".n5"


def open_n5(path: Path, _: bool) -> ImageFile:
    """The full resolution of an N5; of BigDataViewer's, all set-ups as channels."""
    groups = _numbered(path, "setup") or _numbered(path, "c") or [path]
    folders = [_array(group) for group in groups]
    above = [folders[0], *_above(folders[0], path)]
    files = tuple(folder / ATTRIBUTES for folder in above)
    return image_of_arrays(path, folders, geometry=_geometry(above), files=files)


def image_of_arrays(path: Path, folders: list[Path], **header: object) -> ImageFile:
    """The image of N5 arrays, one a channel, whose axes N5 orders X, Y, Z.

    `header`: fields of `ImageFile`.
    """
    lengths = read_json(folders[0] / ATTRIBUTES)["dimensions"]
    axes = {3: "XYZ", 4: "XYZC", 5: "XYZCT"}.get(len(lengths), "?" * len(lengths))
    return ChunkedImage.of(path, folders, "n5", axes, **header)


def _array(group: Path) -> Path:
    """The array of a group: itself, or its full resolution."""
    times = _numbered(group, "timepoint")
    if len(times) > 1:
        raise InputError(f"{group}: expected one time, found {len(times)}")
    place = times[0] if times else group
    for folder in (place, below(place, "s0"), below(place, "0")):
        attributes = read_json(folder / ATTRIBUTES)
        factors = attributes.get("downsamplingFactors", [1])
        if "dimensions" in attributes and folder != group and factors != [1] * len(factors):
            raise InputError(
                f"{folder}: downsamplingFactors: expected the full resolution, found {factors} "
                "(export it again with the full resolution, or name this folder itself)"
            )
        if "dimensions" in attributes:
            return folder
    raise InputError(
        f"{group}: expected an N5 array, or s0 in a pyramid, found neither (name the folder of the "
        "array)"
    )


def _numbered(group: Path, word: str) -> list[Path]:
    """Folders such as setup0, setup1, in the order of their numbers."""
    names = [entry.name for entry in group.iterdir() if entry.is_dir()]
    numbers = sorted(
        int(rest)
        for name in names
        if name.startswith(word) and (rest := name[len(word) :]).isdecimal()
    )
    return [below(group, f"{word}{number}") for number in numbers]


def _above(folder: Path, top: Path) -> list[Path]:
    """The groups that a folder lies in, up to `top`."""
    inside = [parent for parent in folder.parents if parent.is_relative_to(top)]
    return inside if folder != top else []


def _geometry(folders: list[Path]) -> Geometry | None:
    """The voxel size that the array's attributes state, or else those of a group above it."""
    for folder in folders:
        attributes = read_json(folder / ATTRIBUTES)
        found = _spacing(attributes)
        if found is not None:
            spacing, unit = found
            return Geometry(
                tuple(float(length) for length in spacing[:3]), unit_um=um_in(str(unit))
            )
    return None


def _spacing(attributes: Json) -> tuple[list[float], str] | None:
    """Lengths x, y, z and their unit, in the forms that N5's programs write."""
    pixel = attributes.get("pixelResolution")
    if isinstance(pixel, dict) and len(pixel.get("dimensions", ())) >= 3:
        return pixel["dimensions"], str(pixel.get("unit", ""))
    lengths = pixel if isinstance(pixel, list) else attributes.get("resolution")
    if isinstance(lengths, list) and len(lengths) >= 3:
        units = attributes.get("units") or [attributes.get("unit", "")]
        return lengths, str(units[0])
    transform = attributes.get("transform")
    if isinstance(transform, dict) and len(transform.get("scale", ())) == 3:
        axes = [str(axis) for axis in transform.get("axes", "zyx")]
        sizes = dict(zip(axes, transform["scale"], strict=True))
        units = dict(zip(axes, transform.get("units", [""] * 3), strict=True))
        return [sizes[axis] for axis in "xyz"], str(units["x"])
    return None


FORMAT = Format((".n5",), open_n5, recognises=is_n5, is_folder=True)
