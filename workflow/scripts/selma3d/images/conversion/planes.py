"""The planes of one channel: a folder of TIFF files, one each, or the pages of one large TIFF.

Everything that can be wrong with a stack is looked for here, in names and headers, before a
conversion of hours begins.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile

from ...system.errors import InputError
from ...system.limits import check_size
from .plane_order import in_order
from .tiff import check_complete, ome_depth, open_image
from .tiff_structure import check_structure

log = logging.getLogger(__name__)

TIFF = (".tif", ".tiff")
HEADER_THREADS = 4


class UnreadablePlaneError(Exception):
    """One plane does not open or decode; the message names it and says why."""


@dataclass(frozen=True)
class Stack(ABC):
    """One channel of a volume, (Z,Y,X), read a plane at a time, from several threads.

    `dtype` is the file's; `identity` changes when one of the files does; `unreadable` holds, by
    z, the planes whose headers are already known to be bad.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype
    identity: tuple[tuple[str, int, int], ...]
    unreadable: dict[int, str] = field(default_factory=dict, kw_only=True)
    planned: int | None = field(default=None, kw_only=True)  # planes, as the metadata state

    @abstractmethod
    def name(self, z: int) -> str:
        """What to call plane z in a message."""

    @abstractmethod
    def decode(self, z: int) -> np.ndarray:
        """Plane z as stored; raises whatever the codec raises."""

    def read(self, z: int) -> np.ndarray:
        """Plane z as stored, (Y,X). Raises UnreadablePlaneError."""
        if z in self.unreadable:
            raise UnreadablePlaneError(self.unreadable[z])
        try:
            plane = self.decode(z)
        except Exception as error:  # codecs share no base class of errors
            raise UnreadablePlaneError(
                f"{self.name(z)}: expected a whole plane, found one that does not decode "
                f"({reason_of(error)})"
            ) from error
        if plane.shape != self.shape[1:]:
            raise UnreadablePlaneError(
                f"{self.name(z)}: expected shape {self.shape[1:]}, found {plane.shape}"
            )
        return plane


@dataclass(frozen=True)
class PlaneFolder(Stack):
    """A folder with one file a plane."""

    files: tuple[Path, ...]
    numbers: range  # of the planes, as their names say

    def name(self, z: int) -> str:
        return str(self.files[z])

    def decode(self, z: int) -> np.ndarray:
        with tifffile.TiffFile(self.files[z]) as tiff:
            return tiff.pages.first.asarray(maxworkers=1).squeeze()


@dataclass(frozen=True)
class TiffChannel(Stack):
    """One channel of a multi-page TIFF; `pages` are the numbers of its planes."""

    tiff: tifffile.TiffFile
    pages: tuple[int, ...]

    def name(self, z: int) -> str:
        return f"{self.path}, page {self.pages[z]}"

    def decode(self, z: int) -> np.ndarray:
        series = self.tiff.series[0]
        if series.dataoffset is None:
            return series.pages[self.pages[z]].asarray(maxworkers=1).squeeze()
        plane_bytes = self.shape[1] * self.shape[2] * self.dtype.itemsize
        # Uncompressed: one run of bytes. ImageJ has no further pages in stacks beyond 4 GB.
        return np.memmap(
            self.path,
            dtype=self.dtype.newbyteorder(self.tiff.byteorder),
            mode="r",
            offset=series.dataoffset + self.pages[z] * plane_bytes,
            shape=self.shape[1:],
        )


def open_stack(source: Path, *, accept_unreadable: bool = False) -> list[Stack]:
    """One `Stack` a channel: a folder of planes has one, a TIFF as many as it holds.

    Raises InputError for gaps, duplicates, odd shapes and types, and for unreadable headers
    unless `accept_unreadable` leaves them to the caller.
    """
    if source.is_dir():
        files = _tiff_files(source)
        if len(files) > 1:
            return [_open_folder(source, *in_order(source, files), accept_unreadable)]
        (source,) = files
    if not source.exists():
        raise InputError(f"{source}: expected a folder of planes or a TIFF, found nothing")
    if source.suffix.lower() not in TIFF:
        raise InputError(
            f"{source}: expected a folder of planes or a TIFF, found extension {source.suffix!r}"
        )
    return _open_file(source)


def _tiff_files(folder: Path) -> list[Path]:
    try:
        visible = sorted(f for f in folder.iterdir() if not f.name.startswith("."))
    except PermissionError:
        raise InputError(f"{folder}: expected a readable folder, found no permission") from None
    files = [f for f in visible if f.suffix.lower() in TIFF]
    others = [f.name for f in visible if f.suffix.lower() not in TIFF]
    if not files:
        raise InputError(
            f"{folder}: expected TIFF planes (.tif, .tiff), found "
            f"{', '.join(others[:3]) or 'an empty folder'}"
        )
    if others:
        log.warning("%s: not planes, left out: %s", folder, ", ".join(others))
    return files


def _open_folder(
    folder: Path, files: Sequence[Path], numbers: range, accept_unreadable: bool
) -> Stack:
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
    (height, width), dtype = common
    return PlaneFolder(
        folder,
        (len(files), height, width),
        np.dtype(dtype),
        tuple(_identity(file) for file in files),
        tuple(files),
        numbers,
        planned=_planned_depth(next(f for z, f in enumerate(files) if z not in unreadable)),
        unreadable=unreadable,
    )


def _header(file: Path) -> tuple[tuple[int, ...], str] | str:
    """Shape and type of the plane in `file`, or, as text, why it cannot be read."""
    try:
        check_structure(file)
        with tifffile.TiffFile(file) as tiff:
            page = tiff.pages.first
            check_size(file, page.shape, page.dtype.itemsize, packed=file.stat().st_size)
            check_complete([page], file)
            if len(tiff.pages) != 1:
                return f"{file}: expected one plane, found {len(tiff.pages)} pages"
            shape = tuple(size for size in page.shape if size != 1)
            if len(shape) != 2:
                return f"{file}: expected one grey plane (Y,X), found shape {page.shape}"
            return shape, str(page.dtype)
    except InputError as error:
        return str(error)
    except Exception as error:  # codecs share no base class of errors
        return f"{file}: expected a readable TIFF plane, found: {reason_of(error)}"


def _planned_depth(file: Path) -> int | None:
    """The number of planes that the OME metadata of one plane's file state; None without."""
    with tifffile.TiffFile(file) as tiff:
        return ome_depth(tiff.ome_metadata) if tiff.is_ome else None


def _open_file(path: Path) -> list[Stack]:
    try:
        tiff, image = open_image(path)
    except InputError:
        raise
    except Exception as error:  # codecs share no base class of errors
        raise InputError(f"{path}: expected a TIFF, found: {reason_of(error)}") from error
    sizes = {a: n for a, n in zip(image.axes, image.shape, strict=True) if n > 1 or a in "YX"}
    axes = "".join(sizes)
    channels = sizes.get("C", 1)
    if axes[-2:] != "YX" or "S" in axes or len(axes.replace("C", "")) != 3:
        raise InputError(
            f"{path}: expected a stack of grey planes, axes Z, Y, X and at most one of channels, "
            f"found axes {image.axes}, shape {image.shape}"
        )
    pages = np.arange(int(np.prod(list(sizes.values())[:-2])))
    by_channel = pages.reshape(-1, channels).T if axes[1] == "C" else pages.reshape(channels, -1)
    tiff.filehandle.set_lock(True)
    return [
        TiffChannel(
            path,
            (len(planes), sizes["Y"], sizes["X"]),
            np.dtype(image.dtype),
            (_identity(path), ("channel", number, channels)),
            tiff,
            tuple(int(page) for page in planes),
        )
        for number, planes in enumerate(by_channel)
    ]


def _written(shape: tuple[int, ...], dtype: str) -> str:
    return f"{'×'.join(map(str, shape))} (Y,X) {dtype}"


def _identity(file: Path) -> tuple[str, int, int]:
    stat = file.stat()
    return file.name, stat.st_size, stat.st_mtime_ns


def reason_of(error: BaseException) -> str:
    """An exception of a library in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
