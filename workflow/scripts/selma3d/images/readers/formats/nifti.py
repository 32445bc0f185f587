"""NIfTI as one of the formats that are read."""

from __future__ import annotations

from pathlib import Path

from ...nifti import nifti_layout
from ..streamed_image import StreamedImage
from . import Format


def open_nifti(path: Path, _: bool) -> StreamedImage:
    """A NIfTI, `.nii` or `.nii.gz`, by its header."""
    layout, geometry = nifti_layout(path)
    return StreamedImage.of(layout, geometry, layout.axes[::-1])


FORMAT = Format((".nii.gz", ".nii"), open_nifti)
