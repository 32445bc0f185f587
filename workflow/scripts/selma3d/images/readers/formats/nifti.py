"""NIfTI, axes X, Y, Z: read and written in memory, with its geometry."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
from nibabel.spatialimages import HeaderDataError

from ....system.atomic import publish
from ....system.errors import InputError
from ....system.limits import check_limit
from ...geometry import DIRECTION_TOLERANCE, SPACING_TOLERANCE, UM_PER_MM, Geometry, lengths_text
from ...voxel_stream import VoxelLayout
from ..streamed_image import StreamedImage
from . import Format

UM_PER_UNIT = {"meter": 1e6, "mm": UM_PER_MM, "micron": 1.0}
LONGEST_AXIS = 32767  # NIfTI-1 stores lengths as int16
HEADER_BYTES = 540  # of NIfTI-2; NIfTI-1 has fewer
PADDING_BYTES = 1 << 16  # that a writer may leave behind the voxels
TO_LPS = np.diag([-1.0, -1.0, 1.0])  # NIfTI's world runs to the right and to the front


def open_nifti(path: Path, _: bool) -> StreamedImage:
    """A NIfTI, `.nii` or `.nii.gz`, by its header.

    Raises InputError, and what nibabel raises on a bad header.
    """
    packed = path.name.lower().endswith(".gz")
    with path.open("rb") as file:
        head = (gzip.GzipFile(fileobj=file) if packed else file).read(HEADER_BYTES)
    second = int.from_bytes(head[:4], "little") == 540 or head[:4] == b"\0\0\2\x1c"
    kind = nibabel.Nifti2Header if second else nibabel.Nifti1Header
    as_stored = kind(head[: kind.sizeof_hdr], check=False)
    shape = as_stored.get_data_shape()
    if min(shape, default=0) < 0:
        raise InputError(f"{path}: dim: expected lengths from 1, found {shape}")
    header = kind(head[: kind.sizeof_hdr], check=True)
    check_limit(path, "bytes before the voxels", header.get_data_offset(), "TEXT_BYTES")
    scaling = header.get_slope_inter()
    layout = VoxelLayout(
        path=path,
        shape=shape[::-1],
        axes=("XYZ"[: len(shape)] + "".join("T" if n == 1 else "C" for n in shape[3:]))[::-1],
        dtype=header.get_data_dtype(),
        packer="gzip" if packed else None,
        packed_bytes=path.stat().st_size if packed else None,
        before=header.get_data_offset(),
        behind=PADDING_BYTES,
        scaling=None if scaling in ((None, None), (1.0, 0.0)) else scaling,
    )
    return StreamedImage.of(layout, _geometry(as_stored), layout.axes[::-1])


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
    axes = TO_LPS @ affine[:3, :3] / lengths
    origin = tuple((TO_LPS @ affine[:3, 3]).tolist())
    spacing, contradiction = zooms, ""
    if not np.allclose(lengths, zooms, rtol=SPACING_TOLERANCE, atol=0):
        if np.allclose(zooms, 1):  # what a program leaves that has written the sform alone
            spacing = tuple(lengths.tolist())
        elif not np.allclose(lengths, 1):
            stated, other = lengths_text(zooms), lengths_text(lengths)
            contradiction = f"spacing {stated} in pixdim and {other} in sform"
    if header["sform_code"] and header["qform_code"] and not contradiction:
        try:
            other = header.get_qform()
        except (ValueError, HeaderDataError):  # no rotation: the sform alone says something
            other = affine
        turned = TO_LPS @ other[:3, :3] / np.linalg.norm(other[:3, :3], axis=0)
        if np.isfinite(turned).all() and np.abs(turned - axes).max() > DIRECTION_TOLERANCE:
            contradiction = "a sform and a qform of different directions"
    return Geometry(spacing, origin, tuple(map(tuple, axes.T.tolist())), unit_um, contradiction)


FORMAT = Format((".nii.gz", ".nii"), open_nifti)
