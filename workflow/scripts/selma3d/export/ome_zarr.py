"""Writer of OME-Zarr (NGFF 0.4): a multiscale pyramid, written a block at a time.

Each level halves the one before, and takes the maximum of 2×2×2 voxels: thin vessels and small
cells stay visible from afar, if a little too thick. Viewers are told that the values are labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr
from numcodecs import Blosc

from ..images.geometry import Geometry
from ..images.storage import ArrayOnDisk, VoxelSize, boxes
from ..system.atomic import publish_folder

SUFFIX = ".ome.zarr"
VERSION = "0.4"
CHUNK = 64
BLOCK = 256
SMALLEST = 128  # voxels along the longest axis of the last level


def write_ome_zarr(source: ArrayOnDisk, path: Path, geometry: Geometry) -> None:
    """Write the folder `path`; it appears under its name when it is whole, in place of another."""
    with publish_folder(path) as temporary:
        group = zarr.open_group(temporary, mode="w", zarr_format=2)
        _write_levels(group, source, path.name.removesuffix(SUFFIX), geometry)
        group.attrs["image-label"] = {"version": VERSION}


@dataclass(frozen=True)
class ImageWithMasks:
    """An image (Z,Y,X), the grey values shown as black and white, and masks of it by name.

    masks: each with its colour, `#rrggbb`. steps: how many voxels (z,y,x) of the grid that the
    geometry is of became one.
    """

    image: np.ndarray
    window: tuple[float, float]
    masks: Mapping[str, tuple[np.ndarray, str]]
    steps: tuple[int, int, int] = (1, 1, 1)


def write_image_with_masks(source: ImageWithMasks, path: Path, geometry: Geometry) -> None:
    """Write the folder `path`: the image, below it its masks, which viewers lay over it."""
    name = path.name.removesuffix(SUFFIX)
    low, high = source.window
    shown = {"min": int(source.image.min()), "max": int(source.image.max())}
    channel = {
        "label": name,
        "color": "FFFFFF",
        "active": True,
        "window": {**shown, "start": float(low), "end": float(high)},
    }
    with publish_folder(path) as temporary:
        group = zarr.open_group(temporary, mode="w", zarr_format=2)
        _write_levels(group, source.image, name, geometry, source.steps)
        group.attrs["omero"] = {"name": name, "version": VERSION, "channels": [channel]}
        if not source.masks:
            return
        labels = group.create_group("labels")
        labels.attrs["labels"] = list(source.masks)
        for label, (mask, colour) in source.masks.items():
            own = labels.create_group(label)
            _write_levels(own, mask, label, geometry, source.steps)
            rgba = [*bytes.fromhex(colour.removeprefix("#")), 255]
            own.attrs["image-label"] = {
                "version": VERSION,
                "colors": [{"label-value": 1, "rgba": rgba}],
                "source": {"image": "../../"},
            }


def _write_levels(
    group: zarr.Group,
    source: ArrayOnDisk,
    name: str,
    geometry: Geometry,
    steps: tuple[int, int, int] = (1, 1, 1),
) -> None:
    levels = [_write_level(group, 0, source, source.shape, halve=False)]
    while max(levels[-1].shape) > SMALLEST:
        halved = tuple(-(-n // 2) for n in levels[-1].shape)
        levels.append(_write_level(group, len(levels), levels[-1], halved, halve=True))
    group.attrs["multiscales"] = [_metadata(name, len(levels), geometry.voxel_size_um, steps)]


def _write_level(
    group: zarr.Group, level: int, source: ArrayOnDisk, shape: tuple[int, ...], *, halve: bool
) -> zarr.Array:
    array = group.create_array(
        str(level),
        shape=shape,
        dtype=source.dtype,
        chunks=tuple(min(CHUNK, n) for n in shape),
        compressors=Blosc(cname="zstd", clevel=3, shuffle=Blosc.BITSHUFFLE),
        fill_value=0,
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )
    factor = 2 if halve else 1
    for box in boxes(shape, (BLOCK,) * 3):
        read = source[tuple(slice(s.start * factor, s.stop * factor) for s in box)]
        array[box] = _halved(read) if halve else read
    return array


def _halved(block: np.ndarray) -> np.ndarray:
    """Maximum of each 2×2×2 voxels; of what is there at odd ends."""
    for axis in range(3):
        starts = np.arange(0, block.shape[axis], 2)
        block = np.maximum.reduceat(block, starts, axis=axis)
    return block


def _metadata(
    name: str, levels: int, voxel_size_um: VoxelSize | None, steps: tuple[int, int, int]
) -> dict[str, object]:
    unit = {} if voxel_size_um is None else {"unit": "micrometer"}
    size = np.ones(3) if voxel_size_um is None else np.asarray(voxel_size_um, dtype=float)
    became_one = [np.asarray(steps) * 2**level for level in range(levels)]
    return {
        "version": VERSION,
        "name": name,
        "axes": [{"name": axis, "type": "space", **unit} for axis in "zyx"],
        "datasets": [
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": (size * voxels).tolist()},
                    # The first voxel of a level lies in the middle of those that it stands for.
                    {"type": "translation", "translation": (size * (voxels - 1) / 2).tolist()},
                ],
            }
            for level, voxels in enumerate(became_one)
        ],
        "type": "maximum",
    }
