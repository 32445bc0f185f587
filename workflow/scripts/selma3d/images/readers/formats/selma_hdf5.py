"""The workflow's own HDF5: a volume, or a mask of one; for others' files their own formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from ....system.errors import InputError
from ...geometry import Geometry
from ...hdf5_checks import check_chunks
from ...storage import open_hdf5, stored_here, voxel_size_of, whole
from ..image_file import ImageFile
from . import Format

NAMES = ("image", "mask")
AXES = {3: "ZYX", 4: "CZYX"}


@dataclass(kw_only=True, eq=False)
class SelmaHdf5(ImageFile):
    """An HDF5 file with a dataset `image` (C,Z,Y,X) or (Z,Y,X), or `mask` (Z,Y,X)."""

    format = "HDF5"

    file: h5py.File
    dataset: h5py.Dataset
    checked: set[int] = field(default_factory=set)  # places of chunks that were found right

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        *_, height, width = self.shape
        region = np.s_[start:stop, slice(*rows.indices(height)[:2]), 0:width]
        if self.dataset.ndim == 4:
            region = (slice(channel, channel + 1), *region)
        check_chunks(
            self.dataset, f"{self.path}: {self.dataset.name}", self.path, region, self.checked
        )
        block = self.dataset[region]
        return block[0] if self.dataset.ndim == 4 else block

    def load_all(self) -> np.ndarray:
        array = whole(self.dataset, self.path)
        return array[None] if array.ndim == 3 else array

    def close(self) -> None:
        self.file.close()


def open_selma_hdf5(path: Path, _: bool) -> SelmaHdf5:
    """An HDF5 file by its header; InputError where data lie elsewhere or promise too much."""
    file = open_hdf5(path)
    try:
        dataset = next(file[name] for name in NAMES if name in file)
        if not isinstance(dataset, h5py.Dataset) or dataset.ndim not in AXES:
            raise InputError(f"{path}: expected a dataset (C,Z,Y,X) or (Z,Y,X), found {dataset}")
        stored_here(dataset, path)
        size = voxel_size_of(file)
        return SelmaHdf5(
            path=path,
            shape=((1, *dataset.shape) if dataset.ndim == 3 else dataset.shape),
            dtype=dataset.dtype,
            axes=AXES[dataset.ndim],
            geometry=None if size is None else Geometry.of_size(size),
            packed_bytes=dataset.id.get_storage_size(),
            chunk=dataset.chunks[-3:-1] if dataset.chunks else (1, 1),
            file=file,
            dataset=dataset,
        )
    except BaseException:
        file.close()
        raise


def holds_image(path: Path) -> bool:
    """Whether an HDF5 file has a dataset with one of the names."""
    with open_hdf5(path) as file:
        return any(name in file for name in NAMES)


FORMAT = Format("HDF5", (".h5", ".hdf5"), open_selma_hdf5, recognises=holds_image)
