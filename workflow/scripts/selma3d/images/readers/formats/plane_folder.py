"""Folders of TIFF files, one a plane.

Everything that can be wrong with the planes is looked for here, in names and headers, before a
conversion of hours begins.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from ....system.errors import InputError
from ....system.fingerprint import is_system_file
from ....system.limits import check_size
from ...geometry import SPACING_TOLERANCE, Geometry, lengths_text
from ...storage import VoxelSize
from ..image_file import ImageFile, reason_of
from ..plane_order import in_order
from ..tiff_metadata import check_complete, check_values_are_grey, ome_depth, tiff_voxel_size
from ..tiff_structure import check_structure
from . import Format
from .tiff import EXTENSIONS, open_tiff

log = logging.getLogger(__name__)

HEADER_THREADS = 4
UPRIGHT = 1  # TIFF's word; viewers of photographs turn a plane by another one, voxels as they were


@dataclass(kw_only=True, eq=False)
class PlaneFolder(ImageFile):
    """A folder with one file a plane, of one channel.

    numbers: of the planes, as their names say. planned: the number of planes that their metadata
    state; None where they state none.
    """

    by_plane = True

    numbers: range
    planned: int | None = None

    def plane_name(self, channel: int, z: int) -> str:
        return str(self.files[z])

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        return np.stack([self._plane(z)[rows] for z in range(start, stop)])

    def _plane(self, z: int) -> np.ndarray:
        with tifffile.TiffFile(self.files[z]) as tiff:
            return tiff.pages.first.asarray(maxworkers=1).squeeze()


def open_planes(folder: Path, accept_unreadable: bool) -> ImageFile:
    """The image of a folder of planes, or of the one TIFF in a folder.

    Raises InputError for gaps, duplicates, odd shapes and types, and for unreadable headers
    unless `accept_unreadable` leaves them to the caller.
    """
    return _of_files(folder, _tiff_files(folder), accept_unreadable)


def open_pattern(pattern: Path, accept_unreadable: bool) -> ImageFile:
    """The image of the TIFF files in a folder whose names fit a pattern, such as `*_C00_*.tif`."""
    found = sorted(pattern.parent.glob(pattern.name))
    files = [f for f in found if not is_system_file(f.name) and f.suffix.lower() in EXTENSIONS]
    if not files:
        raise InputError(f"{pattern}: expected TIFF planes of such names, found {len(found)} files")
    return _of_files(pattern, files, accept_unreadable)


def _tiff_files(folder: Path) -> list[Path]:
    try:
        visible = sorted(f for f in folder.iterdir() if not is_system_file(f.name))
    except PermissionError:
        raise InputError(f"{folder}: expected a readable folder, found no permission") from None
    files = [f for f in visible if f.suffix.lower() in EXTENSIONS]
    others = [f.name for f in visible if f.suffix.lower() not in EXTENSIONS]
    if not files:
        inner = [f.name for f in visible if f.is_dir()]
        cure = (
            f"name the folder of a channel's planes: {inner[0]}"
            if inner
            else "convert other images to TIFF"
        )
        raise InputError(
            f"{folder}: expected TIFF planes (.tif, .tiff), found "
            f"{', '.join(others[:3]) or 'an empty folder'} ({cure})"
        )
    if others:
        log.warning("%s: not planes, left out: %s", folder, ", ".join(others))
    return files


def _of_files(folder: Path, files: list[Path], accept_unreadable: bool) -> ImageFile:
    if len(files) == 1:
        return open_tiff(files[0])
    files, numbers = in_order(folder, files)
    with ThreadPoolExecutor(HEADER_THREADS) as pool:
        headers = list(pool.map(_header, files))
    unreadable = {z: header for z, header in enumerate(headers) if isinstance(header, str)}
    readable = Counter(header for header in headers if not isinstance(header, str))
    if unreadable and not (accept_unreadable and readable):
        more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        raise InputError(f"{min(unreadable.items())[1]}{more}")
    common = readable.most_common(1)[0][0]
    for file, header in zip(files, headers, strict=True):
        if not isinstance(header, str) and header != common:
            raise InputError(
                f"{file}: expected a plane of {_written(*common)} like most others, "
                f"found {_written(*header)}"
            )
    (height, width), dtype, _ = common
    size, planned = _metadata([f for z, f in enumerate(files) if z not in unreadable])
    return PlaneFolder(
        path=folder,
        shape=(1, len(files), height, width),
        dtype=np.dtype(dtype),
        axes="CZYX",
        geometry=None if size is None else Geometry.of_size(size),
        files=tuple(files),
        unreadable=unreadable,
        numbers=numbers,
        planned=planned,
    )


def _header(file: Path) -> tuple[tuple[int, ...], str, int] | str:
    """Shape, type and orientation of the plane in `file`, or, as text, why it cannot be read."""
    try:
        check_structure(file)
        with tifffile.TiffFile(file) as tiff:
            page = tiff.pages.first
            check_size(file, page.shape, page.dtype.itemsize, packed=file.stat().st_size)
            check_complete([page], file)
            check_values_are_grey(tiff, file)
            others = [other for other in tiff.pages[1:] if not other.is_reduced]  # thumbnails
            if others:
                return f"{file}: expected one plane, found {1 + len(others)} pages"
            shape = tuple(size for size in page.shape if size != 1)
            if len(shape) != 2:
                return f"{file}: expected one grey plane (Y,X), found shape {page.shape}"
            orientation = page.tags.get("Orientation")
            return shape, str(page.dtype), UPRIGHT if orientation is None else orientation.value
    except InputError as error:
        return str(error)
    except Exception as error:  # codecs share no base class of errors
        return f"{file}: expected a readable TIFF plane, found: {reason_of(error)}"


def _metadata(files: Sequence[Path]) -> tuple[VoxelSize | None, int | None]:
    """Voxel size and number of planes that the metadata of the planes' files state.

    Those of the first, the middle and the last one are read: each may describe all planes at
    length. Raises InputError where they differ.
    """
    looked_at = dict.fromkeys((files[0], files[len(files) // 2], files[-1]))
    found = {file: _stated(file) for file in looked_at}
    size, planned = found[files[0]]
    for file, (other_size, other_planned) in found.items():
        if planned != other_planned or (size is None) != (other_size is None):
            raise InputError(
                f"{file}: expected metadata as in {files[0].name} ({_described(size, planned)}), "
                f"found others ({_described(other_size, other_planned)}) (planes of two "
                "acquisitions? keep those of one, or save them without metadata)"
            )
        if size is not None and not np.allclose(size, other_size, rtol=SPACING_TOLERANCE, atol=0):
            raise InputError(
                f"{file}: expected voxels of {lengths_text(size)} µm (z,y,x) as in "
                f"{files[0].name}, found {lengths_text(other_size)} (planes of two acquisitions? "
                "keep those of one)"
            )
    return size, planned


def _stated(file: Path) -> tuple[VoxelSize | None, int | None]:
    with tifffile.TiffFile(file) as tiff:
        return tiff_voxel_size(tiff), ome_depth(tiff.ome_metadata) if tiff.is_ome else None


def _described(size: VoxelSize | None, planned: int | None) -> str:
    voxels = "no voxel size" if size is None else f"voxels of {lengths_text(size)} µm"
    return f"{voxels}, {'no number of planes' if planned is None else f'{planned} planes'}"


def _written(shape: tuple[int, ...], dtype: str, orientation: int) -> str:
    turned = "" if orientation == UPRIGHT else f", turned (Orientation {int(orientation)})"
    return f"{'×'.join(map(str, shape))} (Y,X) {dtype}{turned}"


FORMAT = Format((), open_planes, is_folder=True)
