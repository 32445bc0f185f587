"""Writer of OME-Zarr (NGFF 0.4): a multiscale pyramid, written a block at a time.

Each level halves the one before, and takes the maximum of 2×2×2 voxels: thin vessels and small
cells stay visible from afar, if a little too thick. Viewers are told that the values are labels.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import zarr
from numcodecs import Blosc

from ..images.geometry import Geometry
from ..images.storage import ArrayOnDisk, VoxelSize
from ..system.atomic import publish_folder

VERSION = "0.4"
CHUNK = 64
BLOCK = 256
SMALLEST = 128  # voxels along the longest axis of the last level


def write_ome_zarr(source: ArrayOnDisk, path: Path, geometry: Geometry) -> None:
    """Write the folder `path`; it appears under its name when it is whole, in place of another."""
    with publish_folder(path) as temporary:
        group = zarr.open_group(temporary, mode="w", zarr_format=2)
        levels = [_write_level(group, 0, source, source.shape, halve=False)]
        while max(levels[-1].shape) > SMALLEST:
            halved = tuple(-(-n // 2) for n in levels[-1].shape)
            levels.append(_write_level(group, len(levels), levels[-1], halved, halve=True))
        group.attrs["multiscales"] = [_metadata(path, len(levels), geometry.voxel_size_um)]
        group.attrs["image-label"] = {"version": VERSION}


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
    for corner in product(*map(range, [0] * 3, shape, [BLOCK] * 3)):
        box = tuple(slice(a, min(a + BLOCK, n)) for a, n in zip(corner, shape, strict=True))
        read = source[tuple(slice(s.start * factor, s.stop * factor) for s in box)]
        array[box] = _halved(read) if halve else read
    return array


def _halved(block: np.ndarray) -> np.ndarray:
    """Maximum of each 2×2×2 voxels; of what is there at odd ends."""
    for axis in range(3):
        starts = np.arange(0, block.shape[axis], 2)
        block = np.maximum.reduceat(block, starts, axis=axis)
    return block


def _metadata(path: Path, levels: int, voxel_size_um: VoxelSize | None) -> dict[str, object]:
    unit = {} if voxel_size_um is None else {"unit": "micrometer"}
    size = np.ones(3) if voxel_size_um is None else np.asarray(voxel_size_um, dtype=float)
    return {
        "version": VERSION,
        "name": path.name.removesuffix(".ome.zarr"),
        "axes": [{"name": axis, "type": "space", **unit} for axis in "zyx"],
        "datasets": [
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": (size * 2**level).tolist()},
                    # The first voxel of a level lies in the middle of those that it stands for.
                    {"type": "translation", "translation": (size * (2**level - 1) / 2).tolist()},
                ],
            }
            for level in range(levels)
        ],
        "type": "maximum",
    }
