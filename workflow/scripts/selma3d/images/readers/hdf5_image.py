"""Images in HDF5 files: a dataset (Z,Y,X) for each channel, or one (C,Z,Y,X)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...system.errors import InputError
from ..hdf5_checks import absent_voxels, check_chunks
from ..storage import open_hdf5, stored_here
from .image_file import ImageFile, closed_on_error


@dataclass(kw_only=True, eq=False)
class Hdf5Image(ImageFile):
    """Channels of one file.

    stored_as: how the voxels are to be understood, if not as stored. checked: of each dataset the
    places of chunks that were found to become no more than they declare.
    """

    file: h5py.File
    datasets: Sequence[h5py.Dataset]
    stored_as: np.dtype | None = None
    checked: dict[str, set[int]] = field(default_factory=dict)

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        _, _, height, width = self.shape
        first, last, _ = rows.indices(height)
        # Some programs pad their datasets to whole chunks.
        dataset, region = self._dataset(channel), np.s_[start:stop, first:last, 0:width]
        if dataset.ndim == 4:
            region = (slice(channel, channel + 1), *region)
        checked = self.checked.setdefault(dataset.name, set())
        check_chunks(dataset, f"{self.path}: {dataset.name}", self.path, region, checked)
        block = dataset[region][0] if dataset.ndim == 4 else dataset[region]
        return block if self.stored_as is None else block.view(self.stored_as)

    def absent_voxels(self, channel: int) -> int:
        dataset = self._dataset(channel)
        return absent_voxels(dataset, self.shape[1:]) if dataset.ndim == 3 else 0

    def _dataset(self, channel: int) -> h5py.Dataset:
        return self.datasets[channel if len(self.datasets) > 1 else 0]

    def close(self) -> None:
        self.file.close()


def open_hdf5_image(
    path: Path,
    find: Callable[[h5py.File], Sequence[h5py.Dataset]],
    header: Callable[[h5py.File, Sequence[h5py.Dataset]], dict[str, Any]],
    axes: Sequence[int] = (3,),
) -> Hdf5Image:
    """The image of the datasets that `find` chooses in a file; `header` gives its other fields.

    axes: numbers of axes that a dataset may have. Raises InputError for links, data elsewhere,
    chunks that are too large, and other shapes.
    """
    file = open_hdf5(path)
    with closed_on_error(file):
        datasets = list(find(file))
        for dataset in datasets:
            if not isinstance(dataset, h5py.Dataset) or dataset.ndim not in axes:
                names = " or ".join(f"({','.join('CZYX'[-n:])})" for n in axes)
                raise InputError(f"{path}: expected datasets {names}, found {dataset}")
            stored_here(dataset, path)
            if dataset.shape != datasets[0].shape or dataset.dtype != datasets[0].dtype:
                raise InputError(
                    f"{path}: {dataset.name}: expected {datasets[0].shape} {datasets[0].dtype} as "
                    f"{datasets[0].name}, found {dataset.shape} {dataset.dtype}"
                )
        fields = {
            "path": path,
            "dtype": datasets[0].dtype,
            "packed_bytes": sum(dataset.id.get_storage_size() for dataset in datasets),
            "chunk": datasets[0].chunks[-3:-1] if datasets[0].chunks else (1, 1),
        }
        about = header(file, datasets)
        return Hdf5Image(file=file, datasets=datasets, **fields | about)
