"""Writers of masks and labels, chosen by the name of the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..images import InstanceFile, SegmentationFile
from ..images.geometry import Geometry
from ..images.readers.formats.mha import write_mha
from ..images.readers.formats.nifti import write_nifti
from ..images.storage import ArrayOnDisk
from ..system.errors import InputError
from .ome_tiff import write_ome_tiff
from .ome_zarr import write_ome_zarr

Writer = Callable[[ArrayOnDisk, Path, Geometry], None]

FORMATS: dict[str, Writer] = {
    ".ome.zarr": write_ome_zarr,
    ".ome.tiff": write_ome_tiff,
    ".ome.tif": write_ome_tiff,
    ".tiff": write_ome_tiff,
    ".tif": write_ome_tiff,
    ".mha": lambda source, path, geometry: write_mha(source[:], path, geometry),
    ".nii.gz": lambda source, path, geometry: write_nifti(source[:], path, geometry),
    ".nii": lambda source, path, geometry: write_nifti(source[:], path, geometry),
}


def suffix_of(path: Path) -> str:
    """The format that a file name asks for. Raises InputError for a name that asks for none."""
    suffix = next((s for s in FORMATS if path.name.lower().endswith(s)), None)
    if suffix is None:
        raise InputError(
            f"{path}: expected a name that ends in {', '.join(FORMATS)}, found {path.name!r}"
        )
    return suffix


def export(source: ArrayOnDisk, path: Path, geometry: Geometry) -> None:
    """Write a (Z,Y,X) array, or one on disk, in the format of `path`; it appears when it is whole.

    OME-TIFF and OME-Zarr are written a part at a time, and keep of the geometry the voxel size
    alone; MHA and NIfTI hold the mask in memory.
    """
    FORMATS[suffix_of(path)](source, path, geometry)


def export_segmentation(segmentation: Path, path: Path) -> None:
    """Write the mask of a segmented volume (HDF5) in the format of `path`."""
    with SegmentationFile(segmentation) as found:
        export(found.mask, path, Geometry.of_size(found.voxel_size_um))


def export_instances(instances: Path, path: Path) -> None:
    """Write the labels of a segmented volume's objects (HDF5) in the format of `path`."""
    with InstanceFile(instances) as found:
        export(found.labels, path, Geometry.of_size(found.voxel_size_um))
