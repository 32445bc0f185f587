"""OME-Zarr, versions 0.4 and 0.5 (and older ones), and plain Zarr arrays: the full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from ....system.errors import InputError
from ....system.tables import listed
from ...geometry import Geometry
from ..chunked_array import ChunkedImage, open_array
from ..folder_tree import Json, below, read_json
from ..image_file import ImageFile, check_channels_first, with_planes
from ..length_units import um_in
from . import Format

OLD_AXES = "TCZYX"  # of versions that name none
METADATA = (".zattrs", ".zgroup", ".zarray", "zarr.json")


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any((path / name).is_file() for name in METADATA)


def open_ome_zarr(path: Path, _: bool) -> ImageFile:
    """The full resolution of an OME-Zarr, or of a plain array. Raises InputError."""
    group, version = _attributes(path)
    if _is_array(path, version):
        return _plain_array(path, version)
    image = path
    if "multiscales" not in group:
        image = _only_image(path, group)
        group, version = _attributes(image)
    pyramids = group.get("multiscales")
    if not isinstance(pyramids, list) or len(pyramids) != 1:
        found = len(pyramids) if isinstance(pyramids, list) else "none"
        raise InputError(f"{path}: multiscales: expected one image, found {found}")
    pyramid = pyramids[0]
    level = pyramid["datasets"][0]
    folder = below(image, level["path"])
    letters, units = _axes(pyramid.get("axes"), path)
    driver = _driver(folder)
    _check_first_is_finest(image, pyramid["datasets"], path)
    if not letters:
        letters = OLD_AXES[-len(open_array(folder, driver).shape) :]
    letters = with_planes(letters, open_array(folder, driver).shape, path, "T")
    return ChunkedImage.of(
        path,
        [folder],
        driver,
        letters,
        geometry=_geometry(letters, units, level, pyramid, path),
        channel_names=_channel_names(group),
        files=(image / "zarr.json", image / ".zattrs"),
    )


def _check_first_is_finest(image: Path, levels: Sequence[Json], path: Path) -> None:
    """Raise InputError where another level has more voxels than the first, which OME forbids."""
    shapes = {}
    for name in {str(level["path"]): None for level in levels}:
        folder = below(image, name)
        if any((folder / file).is_file() for file in METADATA):  # a level may have been left out
            shapes[name] = open_array(folder, _driver(folder)).shape
    largest = max(shapes, key=lambda name: prod(shapes[name]), default=None)
    first = str(levels[0]["path"])
    if first in shapes and prod(shapes[largest]) > prod(shapes[first]):
        raise InputError(
            f"{path}: datasets: expected the full resolution first, found {first!r} of shape "
            f"{shapes[first]} before {largest!r} of {shapes[largest]} (list {largest!r} first)"
        )


def _attributes(folder: Path) -> tuple[Json, int]:
    """The attributes of a group or array that OME defines, and the version of Zarr."""
    third = read_json(folder / "zarr.json")
    if third:
        attributes = third.get("attributes", {})
        return attributes.get("ome", attributes), 3
    return read_json(folder / ".zattrs"), 2


def _driver(folder: Path) -> str:
    return "zarr3" if (folder / "zarr.json").is_file() else "zarr"


def _is_array(folder: Path, version: int) -> bool:
    if version == 3:
        return read_json(folder / "zarr.json").get("node_type") == "array"
    return (folder / ".zarray").is_file()


def _only_image(path: Path, group: Json) -> Path:
    """The one image of a group of images, as converters write it. Raises InputError."""
    images = sorted(
        entry.name
        for entry in path.iterdir()
        if entry.is_dir() and "multiscales" in _attributes(entry)[0]
    )
    if len(images) != 1:
        found = listed(images, 5) or "no image"
        raise InputError(
            f"{path}: expected an OME-Zarr of one image, found {found} (name one of them: "
            f"{path.name}/…)"
        )
    return below(path, images[0])


def _plain_array(path: Path, version: int) -> ChunkedImage:
    driver = "zarr3" if version == 3 else "zarr"
    array = open_array(path, driver)
    names = [str(name).upper() for name in array.domain.labels]
    axes = "".join(names)
    if not all(len(name) == 1 for name in names):
        axes = "CZYX"[-array.rank :]
        check_channels_first(array.shape, path)
    return ChunkedImage.of(path, [path], driver, axes)


def _axes(described: Any, path: Path) -> tuple[str, dict[str, str]]:
    """A letter for each axis, and the units of those that have one."""
    letters, units = "", {}
    for axis in described or ():
        name = axis if isinstance(axis, str) else axis["name"]
        letters += str(name).upper()
        if isinstance(axis, dict) and "unit" in axis:
            units[str(name).upper()] = str(axis["unit"])
    if len(set(letters)) != len(letters) or not set(letters) <= set(OLD_AXES):
        raise InputError(f"{path}: axes: expected t, c, z, y, x, found {described}")
    return letters, units


def _geometry(
    letters: str, units: dict[str, str], level: Json, pyramid: Json, path: Path
) -> Geometry | None:
    """The voxel size and the first voxel's place; None where no scale is stated."""
    scale, shift = [1.0] * len(letters), [0.0] * len(letters)
    stated = False
    for transform in (
        *level.get("coordinateTransformations", ()),
        *pyramid.get("coordinateTransformations", ()),
    ):
        kind = transform.get("type")
        numbers = transform.get(kind)
        if kind == "identity":
            continue
        if kind not in ("scale", "translation") or len(numbers or ()) != len(letters):
            raise InputError(
                f"{path}: coordinateTransformations: expected a scale or translation of "
                f"{len(letters)} numbers, found {transform}"
            )
        numbers = [float(number) for number in numbers]
        if kind == "scale":
            stated = True
            scale = [a * b for a, b in zip(scale, numbers, strict=True)]
            shift = [a * b for a, b in zip(shift, numbers, strict=True)]
        else:
            shift = [a + b for a, b in zip(shift, numbers, strict=True)]
    if not stated:
        return None
    factors = {axis: um_in(units.get(axis)) for axis in "ZYX"}
    if None in factors.values():
        spacing = tuple(scale[letters.index(axis)] for axis in "XYZ")
        return Geometry(spacing)
    spacing = tuple(scale[letters.index(axis)] * factors[axis] for axis in "XYZ")
    origin = tuple(shift[letters.index(axis)] * factors[axis] for axis in "XYZ")
    return Geometry(spacing, origin, unit_um=1.0)


def _channel_names(group: Json) -> tuple[str, ...]:
    channels = (group.get("omero") or {}).get("channels") or ()
    return tuple(str(channel.get("label", "")) for channel in channels)


FORMAT = Format((".ome.zarr", ".zarr"), open_ome_zarr, recognises=is_zarr, is_folder=True)
