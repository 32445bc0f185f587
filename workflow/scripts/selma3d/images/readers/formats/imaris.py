"""Imaris files (.ims), version 5.5: HDF5, of which the full resolution is read.

Layout: Bitplane's "Imaris 5.5 file format". Datasets are padded to whole chunks; the image's own
lengths, its place and its unit are texts in attributes, an array of single characters each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ....system.errors import InputError
from ...geometry import Geometry
from ..hdf5_image import Hdf5Image, open_hdf5_image
from ..image_file import canonical_shape
from ..length_units import um_in
from . import Format

LEVEL = "DataSet/ResolutionLevel 0"
NUMBERED = re.compile(r"Channel (\d+)")


def open_imaris(path: Path, _: bool) -> Hdf5Image:
    """An Imaris file by its header. Raises InputError."""
    return open_hdf5_image(path, partial(_channels, path), partial(_header, path))


def _header(path: Path, file: h5py.File, datasets: Sequence[h5py.Dataset]) -> dict[str, Any]:
    about = file["DataSetInfo/Image"].attrs
    shape = tuple(int(_text_of(about[axis])) for axis in "ZYX")
    padded, chunks = datasets[0].shape, datasets[0].chunks or (1, 1, 1)
    if any(
        not size <= there < size + chunk
        for size, there, chunk in zip(shape, padded, chunks, strict=True)
    ):
        raise InputError(
            f"{path}: expected {shape} voxels (Z,Y,X) as its attributes state, found {padded} "
            f"in chunks of {chunks} (save it again with Imaris)"
        )
    return {
        "shape": (len(datasets), *canonical_shape(shape, "ZYX", path)[1:]),
        "geometry": _geometry(about, shape),
        "channel_names": _names(file, len(datasets)),
    }


def _channels(path: Path, file: h5py.File) -> Sequence[h5py.Dataset]:
    level = file.get(LEVEL)
    times = [] if level is None else [name for name in level if name.startswith("TimePoint ")]
    if len(times) != 1:
        raise InputError(f"{path}: expected one time, found {len(times)}")
    point = level[times[0]]
    numbers = sorted(int(found[1]) for name in point if (found := NUMBERED.fullmatch(name)))
    if not numbers:
        raise InputError(f"{path}: expected channels, found none")
    return [point[f"Channel {number}/Data"] for number in numbers]


def _geometry(about: h5py.AttributeManager, shape: tuple[int, ...]) -> Geometry | None:
    """Spacing and first voxel's centre from the box that the image fills.

    Stages that run backwards leave the ends of the box exchanged: its lengths are the same.
    """
    try:
        low, high = (
            [float(_text_of(about[f"Ext{end}{axis}"])) for axis in range(3)]
            for end in ("Min", "Max")
        )
    except (KeyError, ValueError):
        return None
    low, high = zip(*(sorted(ends) for ends in zip(low, high, strict=True)), strict=True)
    spacing = tuple((b - a) / n for a, b, n in zip(low, high, reversed(shape), strict=True))
    if min(spacing) <= 0:
        return None
    origin = tuple(a + length / 2 for a, length in zip(low, spacing, strict=True))
    unit = um_in(_text_of(about.get("Unit", "")))
    return Geometry(spacing, origin, unit_um=unit)


def _names(file: h5py.File, channels: int) -> tuple[str, ...]:
    names = []
    for number in range(channels):
        about = file.get(f"DataSetInfo/Channel {number}")
        names.append("" if about is None else _text_of(about.attrs.get("Name", "")).strip())
    return tuple(names)


def _text_of(value: object) -> str:
    """A text that an attribute holds, also where it is an array of single characters."""
    if isinstance(value, np.ndarray):
        value = b"".join(part if isinstance(part, bytes) else str(part).encode() for part in value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


FORMAT = Format((".ims",), open_imaris)
