"""Images in HDF5 files of other programs: a dataset (Z,Y,X) for each channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from ...system.errors import InputError
from ..hdf5_checks import absent_voxels, check_chunks
from ..storage import open_hdf5, stored_here
from .image_file import ImageFile


@dataclass(kw_only=True, eq=False)
class Hdf5Image(ImageFile):
    """Channels of one file.

    stored_as: how the voxels are to be understood, if not as stored. checked: by channel the places
    of chunks that were found to become no more than they declare.
    """

    file: h5py.File
    datasets: Sequence[h5py.Dataset]
    stored_as: np.dtype | None = None
    checked: dict[int, set[int]] = field(default_factory=dict)

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        _, _, height, width = self.shape
        first, last, _ = rows.indices(height)
        # Some programs pad their datasets to whole chunks.
        dataset, region = self.datasets[channel], np.s_[start:stop, first:last, 0:width]
        checked = self.checked.setdefault(channel, set())
        check_chunks(dataset, f"{self.path}: {dataset.name}", self.path, region, checked)
        block = dataset[region]
        return block if self.stored_as is None else block.view(self.stored_as)

    def absent_voxels(self, channel: int) -> int:
        return absent_voxels(self.datasets[channel], self.shape[1:])

    def close(self) -> None:
        self.file.close()


def open_datasets(
    path: Path, find: Callable[[h5py.File], Sequence[h5py.Dataset]]
) -> tuple[h5py.File, list[h5py.Dataset]]:
    """A file, and the datasets that `find` chooses in it, one a channel, all in the file itself.

    Raises InputError for links, data elsewhere, chunks that are too large, and other shapes.
    """
    file = open_hdf5(path)
    try:
        datasets = list(find(file))
        for dataset in datasets:
            if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 3:
                raise InputError(f"{path}: expected datasets (Z,Y,X), found {dataset}")
            stored_here(dataset, path)
            if dataset.shape != datasets[0].shape or dataset.dtype != datasets[0].dtype:
                raise InputError(
                    f"{path}: {dataset.name}: expected {datasets[0].shape} {datasets[0].dtype} as "
                    f"{datasets[0].name}, found {dataset.shape} {dataset.dtype}"
                )
        return file, datasets
    except BaseException:
        file.close()
        raise


def text_of(value: object) -> str:
    """A text that an attribute holds, also where it is an array of single characters."""
    if isinstance(value, np.ndarray):
        value = b"".join(part if isinstance(part, bytes) else str(part).encode() for part in value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
