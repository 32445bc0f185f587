"""OME-TIFF: tiles of 256², deflate, one image of axes ZYX."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

from ..images.storage import VoxelSize
from ..system.atomic import publish
from .source import Source, planes

TILE = 256
CLASSIC_LIMIT = 2**32 - 2**25  # bytes of a TIFF that is not a BigTIFF, with room for its headers


def write_ome_tiff(source: Source, path: Path, voxel_size_um: VoxelSize | None) -> None:
    """Write planes one by one; an unknown voxel size is left out of the metadata."""
    metadata: dict[str, object] = {"axes": "ZYX"}
    if voxel_size_um is not None:
        for axis, size in zip("ZYX", voxel_size_um, strict=True):
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


def _tiles(source: Source, folder: Path) -> Iterator[np.ndarray]:
    """Tiles in the order of the file: by plane, row and column; those at the edges are cut."""
    for plane in planes(source, folder):
        for y in range(0, plane.shape[0], TILE):
            for x in range(0, plane.shape[1], TILE):
                yield plane[y : y + TILE, x : x + TILE]
