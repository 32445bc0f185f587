"""The workflow's own HDF5: a volume, or a mask of one; for others' files their own formats."""

from __future__ import annotations

from pathlib import Path

from ...geometry import Geometry
from ...storage import open_hdf5, voxel_size_of
from ..hdf5_image import Hdf5Image, open_hdf5_image
from . import Format

NAMES = ("image", "mask")
AXES = {3: "ZYX", 4: "CZYX"}


def open_selma_hdf5(path: Path, _: bool) -> Hdf5Image:
    """An HDF5 file by its header; InputError where data lie elsewhere or promise too much."""

    def header(file, datasets):
        shape, size = datasets[0].shape, voxel_size_of(file)
        return {
            "shape": shape if len(shape) == 4 else (1, *shape),
            "axes": AXES[len(shape)],
            "geometry": None if size is None else Geometry.of_size(size),
        }

    def find(file):
        return [next(file[name] for name in NAMES if name in file)]

    return open_hdf5_image(path, find, header, axes=AXES)


def holds_image(path: Path) -> bool:
    """Whether an HDF5 file has a dataset with one of the names."""
    with open_hdf5(path) as file:
        return any(name in file for name in NAMES)


FORMAT = Format((".h5", ".hdf5"), open_selma_hdf5, recognises=holds_image)
