"""Which writer a file name asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..images import SegmentationFile
from ..images.storage import VoxelSize
from ..system.errors import InputError
from .mha import write_mha
from .nifti import write_nifti
from .ome_tiff import write_ome_tiff
from .ome_zarr import write_ome_zarr
from .source import Source

FORMATS: dict[str, Callable[[Source, Path, VoxelSize | None], None]] = {
    ".ome.zarr": write_ome_zarr,
    ".ome.tiff": write_ome_tiff,
    ".ome.tif": write_ome_tiff,
    ".tiff": write_ome_tiff,
    ".tif": write_ome_tiff,
    ".mha": write_mha,
    ".nii.gz": write_nifti,
    ".nii": write_nifti,
}


def suffix_of(path: Path) -> str:
    """The format that a file name asks for. Raises InputError for a name that asks for none."""
    suffix = next((s for s in FORMATS if path.name.lower().endswith(s)), None)
    if suffix is None:
        raise InputError(
            f"{path}: expected a name that ends in {', '.join(FORMATS)}, found {path.name!r}"
        )
    return suffix


def export(source: Source, path: Path, voxel_size_um: VoxelSize | None) -> None:
    """Write a (Z,Y,X) array, or one on disk, in the format of `path`; it appears when it is whole.

    OME-TIFF and OME-Zarr are written a part at a time; MHA and NIfTI hold the mask in memory.
    """
    FORMATS[suffix_of(path)](source, path, voxel_size_um)


def export_segmentation(segmentation: Path, path: Path) -> None:
    """Write the mask of a segmented volume (HDF5) in the format of `path`."""
    with SegmentationFile(segmentation) as found:
        export(found.mask, path, found.voxel_size_um)
