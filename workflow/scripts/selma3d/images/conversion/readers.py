"""One image file of any known format -> (C,Z,Y,X) as stored, its axes, type and voxel size."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK

from ...system.errors import InputError
from ..storage import VoxelSize
from .planes import open_stack, reason_of
from .tiff import open_image, tiff_voxel_size

UM_PER_UNIT = {"mm": 1e3, "meter": 1e6, "micron": 1.0}


@dataclass(frozen=True)
class StoredImage:
    """An image as its file has it, but for the order of its axes.

    `array` is (C,Z,Y,X); `axes` and `dtype` are those of the file; `voxel_size_um` is (z,y,x),
    None where the header states no unit.
    """

    array: np.ndarray
    axes: str
    dtype: str
    voxel_size_um: VoxelSize | None


def read_image(path: Path) -> StoredImage:
    """Read a NIfTI, MHA, TIFF or NPY file, or a folder of TIFF planes.

    Raises InputError for what is absent, unreadable, truncated, not 3D or of no known format.
    """
    if path.is_dir():
        with reading(path):
            stacks = open_stack(path)
            array = np.stack([[s.read(z) for z in range(s.shape[0])] for s in stacks])
        return StoredImage(canonical(array, "CZYX", path), "CZYX", str(array.dtype), None)
    suffix = image_suffix(path)
    if suffix is None:
        raise InputError(
            f"{path}: expected an image ({', '.join(READERS)}), found extension "
            f"{path.suffix or 'none'!r} (convert it, or take it out of the folder)"
        )
    with reading(path):
        array, axes, voxel_size_um = READERS[suffix](path)
    if array.dtype.kind not in "buif":
        raise InputError(f"{path}: expected numbers, one a voxel, found type {array.dtype}")
    return StoredImage(canonical(array, axes, path), axes, str(array.dtype), voxel_size_um)


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
        yield
    except (InputError, MemoryError):
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


Read = tuple[np.ndarray, str, VoxelSize | None]


def _read_nifti(path: Path) -> Read:
    content = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        # All at once: reading only the voxels would leave the checksum at the end unread.
        content = gzip.decompress(content)
    second = int.from_bytes(content[:4], "little") == 540 or content[:4] == b"\0\0\2\x1c"
    image = (nibabel.Nifti2Image if second else nibabel.Nifti1Image).from_bytes(content)
    array = np.asanyarray(image.dataobj)
    unit = UM_PER_UNIT.get(image.header.get_xyzt_units()[0])
    zooms = [float(size) for size in image.header.get_zooms()[:3]]
    known = unit is not None and len(zooms) == 3 and np.isfinite(zooms).all() and min(zooms) > 0
    voxel_size_um = tuple(size * unit for size in reversed(zooms)) if known else None
    beyond = "".join("T" if size == 1 else "C" for size in array.shape[3:])
    return array, "XYZ"[: array.ndim] + beyond, voxel_size_um


def _read_mha(path: Path) -> Read:
    with path.open("rb") as file:
        header = file.read(1 << 16)
    _, found, rest = header.partition(b"ElementDataFile")
    place = rest.lstrip(b" =").split(b"\n")[0].strip() if found else b""
    if place != b"LOCAL":
        raise InputError(
            f"{path}: ElementDataFile: expected LOCAL (voxels in this file), "
            f"found {place.decode(errors='replace') or 'nothing'!r}"
        )
    image = SimpleITK.ReadImage(str(path))
    array = SimpleITK.GetArrayFromImage(image)
    axes = "CTZYX"[-image.GetDimension() :].replace("T", "C")
    # MetaImage spacing has no unit.
    return array, axes + ("C" if image.GetNumberOfComponentsPerPixel() > 1 else ""), None


def _read_tiff(path: Path) -> Read:
    tiff, image = open_image(path)
    with tiff:
        axes = image.axes
        if "Z" not in axes:
            axes = axes.replace("Q", "Z", 1).replace("I", "Z", 1)
        return image.asarray(maxworkers=1), axes, tiff_voxel_size(tiff)


def _read_npy(path: Path) -> Read:
    array = np.load(path, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: expected one NPY array, found an archive of arrays")
    axes = {3: "ZYX", 4: "CZYX"}.get(array.ndim, "?" * array.ndim)
    if array.ndim == 4 and array.shape[3] == 1 != array.shape[0]:
        axes = "ZYXC"
    return array, axes, None


READERS: dict[str, Callable[[Path], Read]] = {
    ".nii.gz": _read_nifti,
    ".nii": _read_nifti,
    ".mha": _read_mha,
    ".ome.tiff": _read_tiff,
    ".ome.tif": _read_tiff,
    ".tiff": _read_tiff,
    ".tif": _read_tiff,
    ".npy": _read_npy,
}
