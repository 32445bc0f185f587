"""Opening of an image of any known format, and reading of a whole one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...system.errors import InputError
from ...system.fingerprint import PATTERN
from ..geometry import Geometry
from ..storage import VoxelSize
from .formats import extensions, format_of
from .formats.plane_folder import open_pattern
from .image_file import ImageFile, reading

log = logging.getLogger(__name__)


def open_image(path: Path, *, accept_unreadable: bool = False) -> ImageFile:
    """Open a file or folder of any known format; the caller closes it. No voxel is read.

    A name with `*` stands for the planes of one channel among others in a folder.

    accept_unreadable: planes that do not open are left to the caller, in `unreadable`.
    Raises InputError for what is absent, damaged, not 3D, or of no known format.
    """
    path = Path(path)
    if PATTERN in path.name and not path.exists():
        with reading(path):
            return open_pattern(path, accept_unreadable)
    if not path.exists():
        raise InputError(f"{path}: expected an image file, found nothing")
    if not (path.is_file() or path.is_dir()):
        raise InputError(f"{path}: expected a file, found a pipe or device")
    with reading(path):
        known = format_of(path)
        if known is None:
            raise InputError(
                f"{path}: expected an image ({', '.join(extensions())}), found "
                f"{_what(path)} (convert it, or take it out of the folder)"
            )
        return known.open(path, accept_unreadable)


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
    channel_names: tuple[str, ...]  # empty texts where the file has none

    @property
    def voxel_size_um(self) -> VoxelSize | None:
        """(z,y,x); None where the header states no unit, or a size that no microscope has."""
        return None if self.geometry is None else self.geometry.voxel_size_um


def read_image(path: Path, most_voxels: int | None = None) -> StoredImage:
    """Read an image of any known format wholly.

    most_voxels: what the caller expects at most. Raises InputError for what is absent, unreadable,
    truncated, not 3D, of no known format, for what its header says is larger than that or than
    the limits, and for a file that changes meanwhile.
    """
    with open_image(path) as image:
        assert image.identity  # noted before a voxel is read
        array = image.read_all(most_voxels)
        image.check_unchanged()
        names = image.channel_names or ("",) * image.shape[0]
        stored = StoredImage(array, image.axes, str(array.dtype), image.geometry, names)
        if image.geometry is not None and image.geometry.unit_um and not image.voxel_size_um:
            log.warning("%s: voxel size taken as unknown: %s", path, image.why_no_voxel_size)
    return stored


def is_image(path: Path) -> bool:
    """Whether a file or folder has a known format; a folder of planes is no more than a folder."""
    known = format_of(path)
    return known is not None and not (known.is_folder and known.recognises is None)


def _what(path: Path) -> str:
    if path.suffix.lower() in extensions():
        return f"a {path.suffix} file of another kind"
    return f"extension {path.suffix or 'none'!r}"
