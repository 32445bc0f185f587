"""NIfTI, axes X, Y, Z: read and written in memory, with its geometry."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable
from math import prod
from pathlib import Path

import nibabel
import numpy as np
from nibabel.spatialimages import HeaderDataError

from ..system.atomic import publish
from ..system.errors import InputError
from ..system.limits import check_limit, check_size
from .geometry import DIRECTION_TOLERANCE, SPACING_TOLERANCE, UM_PER_MM, Geometry
from .image_header import ImageHeader
from .voxel_stream import VoxelLayout, reversed_axes

UM_PER_UNIT = {"meter": 1e6, "mm": UM_PER_MM, "micron": 1.0}
LONGEST_AXIS = 32767  # NIfTI-1 stores lengths as int16
HEADER_BYTES = 540  # of NIfTI-2; NIfTI-1 has fewer
PADDING_BYTES = 1 << 16  # that a writer may leave behind the voxels
GZIP = 31  # zlib's word for a gzip stream with its checksum
TO_LPS = np.diag([-1.0, -1.0, 1.0])  # NIfTI's world runs to the right and to the front


def read_nifti(
    path: Path, most_voxels: int | None = None
) -> tuple[np.ndarray, str, Geometry | None]:
    """A NIfTI's voxels as its header scales them, a letter for each of their axes, its geometry.

    Raises InputError where the header asks for more than `most_voxels` or the limits allow, and
    where the file holds fewer or more bytes.
    """
    size = path.stat().st_size
    check_limit(path, "bytes", size, "IMAGE_BYTES")
    with path.open("rb") as file:
        if not _is_packed(path):
            kind, needed = _promise(file.read(HEADER_BYTES), path, None, most_voxels)
            file.seek(0)
            content = file.read(needed) if needed <= size else file.read()
        else:
            # All of it: reading only the voxels would leave the checksum at the end unread.
            packed = file.read()
            kind, needed = _promise(_beginning(packed), path, size, most_voxels)
            content = _unpacked(packed, needed + PADDING_BYTES, path)
    image = kind.from_bytes(content)
    array = np.asanyarray(image.dataobj)
    return array, _axes(array.shape), _geometry(image.header)


def nifti_header(path: Path) -> ImageHeader:
    """The header of a NIfTI, of whose voxels none is read."""
    header = _parsed(_head(path))
    shape = header.get_data_shape()
    if min(shape, default=0) < 0:
        raise InputError(f"{path}: dim: expected lengths from 1, found {shape}")
    dtype = np.dtype(np.float64) if _is_scaled(header) else header.get_data_dtype()
    packed = path.stat().st_size if _is_packed(path) else None
    return ImageHeader(shape, _axes(shape), dtype, _geometry(header), packed)


def nifti_layout(path: Path) -> VoxelLayout:
    """Where the voxels of a NIfTI lie. Raises what nibabel raises on a bad header."""
    head = _head(path)
    kind = _kind(head).header_class
    header = kind(head[: kind.sizeof_hdr], check=True)
    shape, offset = header.get_data_shape(), header.get_data_offset()
    check_limit(path, "bytes before the voxels", offset, "TEXT_BYTES")
    stored, axes = reversed_axes(shape, _axes(shape))
    return VoxelLayout(
        path=path,
        shape=stored,
        axes=axes,
        dtype=header.get_data_dtype(),
        packer="gzip" if _is_packed(path) else None,
        before=offset,
        behind=PADDING_BYTES,
        scaling=header.get_slope_inter() if _is_scaled(header) else None,
    )


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _head(path: Path) -> bytes:
    """The first bytes of what a file holds, as many as a header has."""
    with path.open("rb") as file:
        if _is_packed(path):
            return gzip.GzipFile(fileobj=file).read(HEADER_BYTES)
        return file.read(HEADER_BYTES)


def _axes(shape: tuple[int, ...]) -> str:
    return "XYZ"[: len(shape)] + "".join("T" if size == 1 else "C" for size in shape[3:])


def _is_scaled(header: nibabel.Nifti1Header) -> bool:
    return header.get_slope_inter() not in ((None, None), (1.0, 0.0))


def _parsed(head: bytes) -> nibabel.Nifti1Header:
    kind = _kind(head).header_class
    return kind(head[: kind.sizeof_hdr], check=False)


def _kind(head: bytes) -> type[nibabel.Nifti1Image]:
    second = int.from_bytes(head[:4], "little") == 540 or head[:4] == b"\0\0\2\x1c"
    return nibabel.Nifti2Image if second else nibabel.Nifti1Image


def _promise(
    head: bytes, path: Path, packed: int | None, most_voxels: int | None
) -> tuple[type[nibabel.Nifti1Image], int]:
    """The kind of NIfTI that begins so, and the bytes that it must hold. Raises InputError."""
    kind, header = _kind(head), _parsed(head)
    shape, stored = header.get_data_shape(), header.get_data_dtype().itemsize
    if min(shape, default=0) < 0:
        raise InputError(f"{path}: dim: expected lengths from 1, found {shape}")
    check_size(
        path, shape, 8 if _is_scaled(header) else stored, packed=packed, most_voxels=most_voxels
    )
    offset = header.get_data_offset()
    check_limit(path, "bytes before the voxels", offset, "TEXT_BYTES")
    return kind, offset + prod(shape) * stored


def _beginning(packed: bytes) -> bytes:
    """The first bytes of a gzip stream, as many as a header has."""
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        return file.read(HEADER_BYTES)


def _unpacked(packed: bytes, most: int, path: Path) -> bytes:
    """What a gzip file holds, checksums compared; InputError where that is more than `most`."""
    parts, left = [], packed
    while left:
        unpacker = zlib.decompressobj(GZIP)
        parts.append(unpacker.decompress(left, most + 1))
        most -= len(parts[-1])
        if most < 0:
            raise InputError(f"{path}: expected the bytes that its header speaks of, found more")
        if not unpacker.eof:
            raise EOFError("the gzip stream has no end")
        left = unpacker.unused_data.lstrip(b"\0")
    return parts[0] if len(parts) == 1 else b"".join(parts)


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
            contradiction = f"spacing {_text(zooms)} in pixdim and {_text(lengths)} in sform"
    if header["sform_code"] and header["qform_code"] and not contradiction:
        try:
            other = header.get_qform()
        except (ValueError, HeaderDataError):  # no rotation: the sform alone says something
            other = affine
        turned = TO_LPS @ other[:3, :3] / np.linalg.norm(other[:3, :3], axis=0)
        if np.isfinite(turned).all() and np.abs(turned - axes).max() > DIRECTION_TOLERANCE:
            contradiction = "a sform and a qform of different directions"
    return Geometry(spacing, origin, tuple(map(tuple, axes.T.tolist())), unit_um, contradiction)


def _text(lengths: Iterable[float]) -> str:
    return "×".join(f"{length:g}" for length in lengths)
