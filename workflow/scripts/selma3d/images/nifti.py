"""NIfTI, axes X, Y, Z: read and written in memory, with its geometry."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np

from ..system.atomic import publish
from ..system.errors import InputError
from .geometry import UM_PER_MM, Geometry

UM_PER_UNIT = {"meter": 1e6, "mm": UM_PER_MM, "micron": 1.0}
LONGEST_AXIS = 32767  # NIfTI-1 stores lengths as int16
TO_LPS = np.diag([-1.0, -1.0, 1.0])  # NIfTI's world runs to the right and to the front


def read_nifti(path: Path) -> tuple[np.ndarray, str, Geometry | None]:
    """A NIfTI's voxels as its header scales them, a letter for each of their axes, its geometry."""
    content = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        # All at once: reading only the voxels would leave the checksum at the end unread.
        content = gzip.decompress(content)
    second = int.from_bytes(content[:4], "little") == 540 or content[:4] == b"\0\0\2\x1c"
    image = (nibabel.Nifti2Image if second else nibabel.Nifti1Image).from_bytes(content)
    array = np.asanyarray(image.dataobj)
    beyond = "".join("T" if size == 1 else "C" for size in array.shape[3:])
    return array, "XYZ"[: array.ndim] + beyond, _geometry(image.header)


def write_nifti(array: np.ndarray, path: Path, geometry: Geometry) -> None:
    """Write a (Z,Y,X) array; where no position is known the header says so.

    Raises InputError for an image that is too long for the format.
    """
    if max(array.shape) > LONGEST_AXIS:
        raise InputError(
            f"{path}: expected no axis longer than {LONGEST_AXIS} voxels in a NIfTI, found shape "
            f"{array.shape} (export .ome.zarr or .ome.tiff)"
        )
    affine = np.diag([*geometry.spacing, 1.0])
    if geometry.direction is not None:
        affine[:3, :3] = TO_LPS @ (np.asarray(geometry.direction).T * geometry.spacing)
        affine[:3, 3] = TO_LPS @ geometry.origin
    image = nibabel.Nifti1Image(array.transpose(2, 1, 0), affine)
    units = {um: name for name, um in UM_PER_UNIT.items()}
    image.header.set_xyzt_units(units.get(geometry.unit_um, "unknown"))
    # Without codes for its affine a reader takes the voxel sizes alone.
    code = 0 if geometry.direction is None else 1
    image.set_sform(affine if code else None, code=code)
    image.set_qform(affine if code else None, code=code)
    content = image.to_bytes()
    with publish(path) as temporary:
        packed = path.suffix == ".gz"
        temporary.write_bytes(gzip.compress(content, 6, mtime=0) if packed else content)


def _geometry(header: nibabel.Nifti1Header) -> Geometry | None:
    zooms = tuple(float(size) for size in header.get_zooms()[:3])
    if len(zooms) < 3 or not np.isfinite(zooms).all() or min(zooms) <= 0:
        return None
    unit_um = UM_PER_UNIT.get(header.get_xyzt_units()[0])
    grid = Geometry(zooms, unit_um=unit_um)
    if not (header["sform_code"] or header["qform_code"]):
        return grid
    affine = header.get_best_affine()
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or lengths.min() <= 0:
        return grid
    axes = (TO_LPS @ affine[:3, :3] / lengths).T
    origin = tuple((TO_LPS @ affine[:3, 3]).tolist())
    return Geometry(zooms, origin, tuple(map(tuple, axes.tolist())), unit_um)
