"""Whole images in memory: (C,Z,Y,X) as stored, with axes, type and geometry."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..geometry import Geometry
from ..storage import VoxelSize
from .opening import open_image

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredImage:
    """An image as its file has it, but for the order of its axes.

    `array` is (C,Z,Y,X); `axes` and `dtype` are those of the file; `geometry` is None where the
    file states none.
    """

    array: np.ndarray
    axes: str
    dtype: str
    geometry: Geometry | None
    channel_names: tuple[str, ...]  # empty texts where the file has none

    @property
    def voxel_size_um(self) -> VoxelSize | None:
        """(z,y,x); None where the header states no unit, or a size that no microscope has."""
        return None if self.geometry is None else self.geometry.voxel_size_um


def read_image(path: Path, most_voxels: int | None = None) -> StoredImage:
    """Read an image of any known format wholly.

    most_voxels: what the caller expects at most. Raises InputError for what is absent, unreadable,
    truncated, not 3D, of no known format, for what its header says is larger than that or than
    the limits, and for a file that changes meanwhile.
    """
    with open_image(path) as image:
        assert image.identity  # noted before a voxel is read
        array = image.read_all(most_voxels)
        image.check_unchanged()
        names = image.channel_names or ("",) * image.shape[0]
        stored = StoredImage(array, image.axes, str(array.dtype), image.geometry, names)
        if image.geometry is not None and image.geometry.unit_um and not image.voxel_size_um:
            log.warning("%s: voxel size taken as unknown: %s", path, image.why_no_voxel_size)
    return stored
