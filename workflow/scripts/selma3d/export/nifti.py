"""NIfTI, axes X, Y, Z; in memory."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np

from ..images.storage import VoxelSize
from ..system.atomic import publish
from ..system.errors import InputError
from .source import Source

LONGEST_AXIS = 32767  # NIfTI-1 stores lengths as int16


def write_nifti(source: Source, path: Path, voxel_size_um: VoxelSize | None) -> None:
    """Write a mask; sizes in micrometres and so marked, or 1 without a unit where unknown.

    Raises InputError for a volume that is too long for the format.
    """
    if max(source.shape) > LONGEST_AXIS:
        raise InputError(
            f"{path}: expected no axis longer than {LONGEST_AXIS} voxels in a NIfTI, found shape "
            f"{source.shape} (export .ome.zarr or .ome.tiff)"
        )
    size = (1.0, 1.0, 1.0) if voxel_size_um is None else tuple(reversed(voxel_size_um))
    image = nibabel.Nifti1Image(source[:].transpose(2, 1, 0), np.diag([*size, 1.0]))
    image.header.set_xyzt_units("micron" if voxel_size_um is not None else "unknown")
    # Without codes for its affine a reader takes the voxel sizes alone: the position is unknown.
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    content = image.to_bytes()
    with publish(path) as temporary:
        packed = path.suffix == ".gz"
        temporary.write_bytes(gzip.compress(content, 6, mtime=0) if packed else content)
