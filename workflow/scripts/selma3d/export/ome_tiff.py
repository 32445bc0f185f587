"""Writer of OME-TIFF: tiles of 256², deflate, one image of axes ZYX."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

from ..images.geometry import Geometry
from ..images.storage import CHUNK, ArrayOnDisk
from ..system.atomic import publish

TILE = 256
CLASSIC_LIMIT = 2**32 - 2**25  # bytes of a TIFF that is not a BigTIFF, with room for its headers


def write_ome_tiff(source: ArrayOnDisk, path: Path, geometry: Geometry) -> None:
    """Write planes one by one; an unknown voxel size is left out of the metadata."""
    metadata: dict[str, str | float] = {"axes": "ZYX"}
    if geometry.voxel_size_um is not None:
        for axis, size in zip("ZYX", geometry.voxel_size_um, strict=True):
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    size = math.prod(source.shape) * source.dtype.itemsize
    with (
        publish(path) as temporary,
        tifffile.TiffWriter(temporary, bigtiff=size > CLASSIC_LIMIT, ome=True) as tiff,
    ):
        tiff.write(
            _tiles(source, path.parent),
            shape=source.shape,
            dtype=source.dtype,
            tile=(TILE, TILE),
            compression="deflate",
            photometric="minisblack",
            metadata=metadata,
        )


def _tiles(source: ArrayOnDisk, folder: Path) -> Iterator[np.ndarray]:
    """Tiles in the order of the file: by plane, row and column; those at the edges are cut."""
    for plane in _planes(source, folder):
        for y in range(0, plane.shape[0], TILE):
            for x in range(0, plane.shape[1], TILE):
                yield plane[y : y + TILE, x : x + TILE]


def _planes(source: ArrayOnDisk, folder: Path) -> Iterator[np.ndarray]:
    """The planes (Y,X) of `source`, each chunk on disk read once.

    A layer of chunks may be larger than the memory: it is unpacked into a file in `folder`.
    """
    depth, height, width = source.shape
    with tempfile.TemporaryFile(dir=folder) as room:
        layer = np.memmap(room, source.dtype, "w+", shape=(min(CHUNK, depth), height, width))
        for start in range(0, depth, CHUNK):
            stop = min(start + CHUNK, depth)
            for y in range(0, height, CHUNK):
                layer[: stop - start, y : y + CHUNK] = source[start:stop, y : y + CHUNK]
            yield from layer[: stop - start]
