"""NIfTI as one of the formats that are read."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ...nifti import nifti_header, nifti_layout, read_nifti
from ..image_file import canonical_shape
from ..streamed_image import StreamedImage
from . import Format


class NiftiImage(StreamedImage):
    """A NIfTI file, `.nii` or `.nii.gz`."""

    format = "NIfTI"

    def read_stored(self, most_voxels: int | None) -> tuple[np.ndarray, str]:
        return read_nifti(self.path, most_voxels)[:2]


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
        layout=partial(nifti_layout, path),
    )


FORMAT = Format("NIfTI", (".nii.gz", ".nii"), open_nifti)
