"""NIfTI as one of the formats that are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...nifti import nifti_header, read_nifti
from ..image_file import ImageFile, canonical, canonical_shape, reading
from . import Format


class NiftiImage(ImageFile):
    """A NIfTI file, `.nii` or `.nii.gz`."""

    format = "NIfTI"
    _whole: np.ndarray | None = None

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        if self._whole is None:
            self._whole = self.read_all()
        return self._whole[channel, start:stop, rows]

    def read_all(self, most_voxels: int | None = None) -> np.ndarray:
        with reading(self.path):
            array, axes, _ = read_nifti(self.path, most_voxels)
            return canonical(array, axes, self.path)


def open_nifti(path: Path, _: bool) -> NiftiImage:
    """A NIfTI by its header."""
    header = nifti_header(path)
    return NiftiImage(
        path=path,
        shape=canonical_shape(header.shape, header.axes, path),
        dtype=header.dtype,
        axes=header.axes,
        geometry=header.geometry,
        packed_bytes=header.packed_bytes,
    )


FORMAT = Format("NIfTI", (".nii.gz", ".nii"), open_nifti)
