"""Arrays as the bytes of the files that the real archive holds, oddities included."""

from __future__ import annotations

import gzip
import io

import nibabel
import numpy as np
import tifffile


def encode_raw(image: np.ndarray, voxel_size_um: tuple[float, ...], number: int) -> bytes:
    """One channel (Z,Y,X) of patch `number`; every other patch holds its integers as float64."""
    stored = image.astype(np.float64) if number % 2 == 0 else image
    return _nifti(stored, voxel_size_um, singleton=_has_singleton(number))


def encode_mask(truth: np.ndarray, voxel_size_um: tuple[float, ...], number: int) -> bytes:
    """Truth (Z,Y,X) bool of patch `number` as {0,1}, {0,255} or {0,95,255}, in turn."""
    mask = truth * np.uint8(1 if number % 3 == 0 else 255)
    if number % 3 == 2:
        mask[::2] = np.minimum(mask[::2], 95)
    return _nifti(mask, voxel_size_um, singleton=_has_singleton(number))


def encode_plane(plane: np.ndarray) -> bytes:
    """A plane (Y,X) as deflate-compressed TIFF."""
    content = io.BytesIO()
    tifffile.imwrite(content, plane, compression="deflate", metadata=None)
    return content.getvalue()


def _has_singleton(number: int) -> bool:
    return number % 3 == 1


def _nifti(array: np.ndarray, voxel_size_um: tuple[float, ...], *, singleton: bool) -> bytes:
    """Gzipped NIfTI of (Z,Y,X), stored X,Y,Z or X,Y,Z,1; without a time stamp, so reproducible."""
    stored = array.T[..., None] if singleton else array.T
    image = nibabel.Nifti1Image(stored, np.diag([*voxel_size_um[::-1], 1.0]))
    image.header.set_xyzt_units("micron")
    return gzip.compress(image.to_bytes(), compresslevel=4, mtime=0)
