"""Readers of image files: (C,Z,Y,X) as stored, with axes, type and geometry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...system.errors import InputError
from ...system.limits import check_size, proportionate
from ..geometry import Geometry
from ..mha import read_mha
from ..nifti import read_nifti
from ..storage import VoxelSize
from .planes import open_stack, reason_of
from .tiff import open_image, tiff_voxel_size

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredImage:
    """An image as its file has it, but for the order of its axes.

    `array` is (C,Z,Y,X); `axes` and `dtype` are those of the file; `geometry` is None where the
    file states none.
    """

    array: np.ndarray
    axes: str
    dtype: str
    geometry: Geometry | None

    @property
    def voxel_size_um(self) -> VoxelSize | None:
        """(z,y,x); None where the header states no unit, or a size that no microscope has."""
        return None if self.geometry is None else self.geometry.voxel_size_um


def read_image(path: Path, most_voxels: int | None = None) -> StoredImage:
    """Read a NIfTI, MHA, TIFF or NPY file, or a folder of TIFF planes.

    most_voxels: what the caller expects at most. Raises InputError for what is absent, unreadable,
    truncated, not 3D, of no known format, and for what its header says is larger than that or than
    the limits.
    """
    if path.is_dir():
        with reading(path):
            stacks = open_stack(path)
            shape = (len(stacks), *stacks[0].shape)
            packed = sum(file.stat().st_size for file in path.iterdir())
            itemsize = stacks[0].dtype.itemsize
            check_size(path, shape, itemsize, packed=packed, most_voxels=most_voxels)
            array = np.stack([[s.read(z) for z in range(s.shape[0])] for s in stacks])
        return StoredImage(canonical(array, "CZYX", path), "CZYX", str(array.dtype), None)
    suffix = image_suffix(path)
    if suffix is None:
        raise InputError(
            f"{path}: expected an image ({', '.join(READERS)}), found extension "
            f"{path.suffix or 'none'!r} (convert it, or take it out of the folder)"
        )
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: expected a file, found a pipe or device")
    with reading(path):
        array, axes, geometry = READERS[suffix](path, most_voxels)
    if array.dtype.kind not in "buif":
        raise InputError(f"{path}: expected numbers, one a voxel, found type {array.dtype}")
    stored = StoredImage(canonical(array, axes, path), axes, str(array.dtype), geometry)
    if geometry is not None and geometry.unit_um is not None and stored.voxel_size_um is None:
        log.warning(
            "%s: voxels of %s times %g µm are none of a light-sheet microscope: taken as unknown",
            path,
            geometry.spacing,
            geometry.unit_um,
        )
    return stored


def image_suffix(path: Path) -> str | None:
    """The known extension of `path`, such as `.nii.gz`; None if there is none."""
    name = path.name.lower()
    return next((suffix for suffix in READERS if name.endswith(suffix)), None)


def image_stem(path: Path) -> str:
    """The file's name without its known extension."""
    return path.name[: -len(image_suffix(path) or "")] or path.name


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a format's library raises on a bad file into one line that names the file."""
    try:
        with proportionate(path, "an image"):
            yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: expected an image file, found nothing") from None
    except PermissionError:
        raise InputError(
            f"{path}: expected a readable file, found no permission to read it (chmod u+r)"
        ) from None
    except Exception as error:  # the formats' libraries share no base class of errors
        raise InputError(
            f"{path}: expected a whole image, found one that does not read "
            f"({reason_of(error)}) (truncated or damaged: fetch it again)"
        ) from error


def canonical(array: np.ndarray, axes: str, path: Path) -> np.ndarray:
    """Order axes as (C,Z,Y,X) after dropping single non-spatial ones; needs Z, Y and X.

    `axes` has one letter a dimension of `array`.
    """
    extra = tuple(i for i, a in enumerate(axes) if a not in "ZYX" and array.shape[i] == 1)
    array = array.squeeze(extra)
    axes = "".join(letter for i, letter in enumerate(axes) if i not in extra)
    stored = f"shape {array.shape}, axes {axes}"
    if not set("ZYX") <= set(axes) or min(array.shape) == 0:
        raise InputError(f"{path}: expected a 3D image, found {stored}")
    if sorted(axes) not in (["X", "Y", "Z"], ["C", "X", "Y", "Z"]):
        raise InputError(
            f"{path}: expected axes Z, Y, X and at most one of channels, found {stored} "
            "(save one grey image a file)"
        )
    if "C" not in axes:
        array, axes = array[None], "C" + axes
    array = array.transpose([axes.index(letter) for letter in "CZYX"])
    if min(array.shape[1:]) < 2:
        raise InputError(f"{path}: expected a 3D image, found a single plane: {stored}")
    return array


Read = tuple[np.ndarray, str, Geometry | None]  # voxels, their axes, where they lie


def _read_tiff(path: Path, most_voxels: int | None = None) -> Read:
    tiff, image = open_image(path)
    with tiff:
        check_size(path, image.shape, image.dtype.itemsize, most_voxels=most_voxels)
        axes = image.axes
        if "Z" not in axes:
            axes = axes.replace("Q", "Z", 1).replace("I", "Z", 1)
        size = tiff_voxel_size(tiff)
        geometry = None if size is None else Geometry.of_size(size)
        return image.asarray(maxworkers=1), axes, geometry


def _read_npy(path: Path, most_voxels: int | None = None) -> Read:
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            raise InputError(f"{path}: expected one NPY array, found an archive of arrays")
        file.seek(0)
        version = np.lib.format.read_magic(file)
        first = version == (1, 0)
        read_header = (
            np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(file)
        size = check_size(path, shape, dtype.itemsize, most_voxels=most_voxels)
        found = path.stat().st_size - file.tell()
    if not dtype.hasobject and found < size:
        raise EOFError(f"{size} bytes of voxels by its header, {found} there")
    array = np.load(path, allow_pickle=False)
    axes = {3: "ZYX", 4: "CZYX"}.get(array.ndim, "?" * array.ndim)
    if array.ndim == 4 and array.shape[3] == 1 != array.shape[0]:
        axes = "ZYXC"
    return array, axes, None


READERS: dict[str, Callable[[Path, int | None], Read]] = {
    ".nii.gz": read_nifti,
    ".nii": read_nifti,
    ".mha": read_mha,
    ".ome.tiff": _read_tiff,
    ".ome.tif": _read_tiff,
    ".tiff": _read_tiff,
    ".tif": _read_tiff,
    ".npy": _read_npy,
}
