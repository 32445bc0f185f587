"""Images of files and folders: what their headers say, and their voxels a few planes at a time."""

from __future__ import annotations

import hashlib
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ...system.errors import InputError
from ...system.limits import check_ratio, check_size, proportionate
from ..geometry import LARGEST_UM, SMALLEST_UM, Geometry
from ..storage import VoxelSize

log = logging.getLogger(__name__)

MOST_LIKELY_CHANNELS = 4  # an image is wider than that
Identity = tuple[tuple[str, int, int], ...]


class UnreadablePlaneError(Exception):
    """One plane does not open or decode; the message names it and says why."""


@dataclass(kw_only=True, eq=False)
class ImageFile(ABC):
    """An image as its header describes it; voxels are read when they are asked for.

    `shape` is (C,Z,Y,X); `axes` and `dtype` are those of the file. `geometry` is None where the
    file states none. `files` are all that hold its voxels or its header. `packed_bytes`: bytes
    that the voxels are unpacked from; None where they are not packed. `chunk`: planes and rows
    that are stored together, so that others cost nothing more to read. `unreadable` holds, by
    z, planes whose headers are already known to be bad.
    """

    by_plane: ClassVar[bool] = False  # whether each plane lies apart, and may be bad alone

    path: Path
    shape: tuple[int, int, int, int]
    dtype: np.dtype
    axes: str = "CZYX"
    geometry: Geometry | None = None
    channel_names: tuple[str, ...] | None = None
    files: tuple[Path, ...] = ()
    packed_bytes: int | None = None
    chunk: tuple[int, int] = (1, 1)
    unreadable: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.dtype.kind not in "buif":
            raise InputError(f"{self.path}: expected numbers, one a voxel, found type {self.dtype}")
        if min(self.shape) < 1:
            raise InputError(f"{self.path}: expected a 3D image, found shape {self.shape}")
        if self.channel_names is not None:
            named = tuple(_in_one_line(name) for name in self.channel_names)
            is_named = any(named) and len(named) == self.shape[0]
            self.channel_names = named if is_named else None
        self.files = self.files or (self.path,)
        channels, depth = self.shape[:2]
        if channels > max(depth, MOST_LIKELY_CHANNELS):
            raise InputError(
                f"{self.path}: expected more planes than channels, found {channels} channels of "
                f"{depth} planes, axes {self.axes} (Z and C may be exchanged: save its planes as Z)"
            )

    @property
    def voxel_size_um(self) -> VoxelSize | None:
        """(z,y,x); None where the header states no unit, or a size that no microscope has."""
        return None if self.geometry is None else self.geometry.voxel_size_um

    @property
    def why_no_voxel_size(self) -> str | None:
        """The reason that `voxel_size_um` is None, as part of a sentence; None where it is not."""
        if self.voxel_size_um is not None:
            return None
        if self.geometry is None:
            return "the file states no voxel size"
        if self.geometry.contradiction:
            return f"the file states {self.geometry.contradiction}"
        size = "×".join(f"{length:g}" for length in reversed(self.geometry.spacing))
        if self.geometry.unit_um is None:
            return f"the file states {size} (z,y,x) without a unit"
        return (
            f"the file states {size} times {self.geometry.unit_um:g} µm (z,y,x), and light-sheet "
            f"microscopes have voxels of {SMALLEST_UM:g} to {LARGEST_UM:g} µm"
        )

    @cached_property
    def identity(self) -> Identity:
        """The state of the files when it was first asked for: ask before the first voxel."""
        return self.state()

    def state(self) -> Identity:
        """Name, size and time of each file as they are now."""
        return tuple(file_state(file) for file in self.files)

    def check_unchanged(self) -> None:
        """Raise InputError where the files are no longer as they were; see `identity`."""
        known, found = self.identity, self.state()
        if found == known:
            return
        changed = [b[0] for a, b in zip(known, found, strict=False) if a != b]
        raise InputError(
            f"{self.path}: expected files that stay as they are while they are read, found changed "
            f"ones: {', '.join(changed[:3])} (start again when nothing writes them any more)"
        )

    def check_promise(self) -> None:
        """Raise InputError where few packed bytes stand for very many voxels."""
        plane = (1, *self.shape[2:])
        check_size(self.path, plane, self.dtype.itemsize)
        if self.packed_bytes is not None:
            size = prod(self.shape) * self.dtype.itemsize
            check_ratio(self.path, size, self.packed_bytes, "UNPACKED_FREELY")

    def read(self, channel: int, start: int, stop: int, rows: slice = slice(None)) -> np.ndarray:
        """Planes [start, stop) of a channel, as stored, (z,y,X); `rows` of each.

        Raises InputError where they do not read.
        """
        if not 0 <= channel < self.shape[0]:
            names = f" ({', '.join(self.channel_names)})" if self.channel_names else ""
            raise InputError(
                f"{self.path}: channel: expected 0 to {self.shape[0] - 1}{names}, found {channel}"
            )
        with reading(self.path):
            block = self.load(channel, start, stop, rows)
        height = len(range(*rows.indices(self.shape[2])))
        expected = (stop - start, height, self.shape[3])
        if block.shape != expected:
            raise InputError(f"{self.path}: expected voxels {expected}, found {block.shape}")
        return block

    def plane(self, channel: int, z: int) -> np.ndarray:
        """Plane z of a channel as stored, (Y,X). Raises UnreadablePlaneError."""
        if z in self.unreadable:
            raise UnreadablePlaneError(self.unreadable[z])
        try:
            plane = self.load(channel, z, z + 1, slice(None))[0]
        except Exception as error:  # codecs share no base class of errors
            raise UnreadablePlaneError(
                f"{self.plane_name(channel, z)}: expected a whole plane, found one that does not "
                f"decode ({reason_of(error)})"
            ) from error
        if plane.shape != self.shape[2:]:
            raise UnreadablePlaneError(
                f"{self.plane_name(channel, z)}: expected shape {self.shape[2:]}, "
                f"found {plane.shape}"
            )
        return plane

    def read_all(self, most_voxels: int | None = None) -> np.ndarray:
        """All voxels as stored, (C,Z,Y,X); InputError where they are more than the limits."""
        check_size(
            self.path,
            self.shape,
            self.dtype.itemsize,
            packed=self.packed_bytes,
            most_voxels=most_voxels,
        )
        with reading(self.path):
            return self.load_all()

    def load_all(self) -> np.ndarray:
        """All voxels (C,Z,Y,X); raises whatever the format's library raises."""
        channels, depth = self.shape[:2]
        step = 1 if self.by_plane else self.chunk[0]
        array = np.empty(self.shape, self.dtype.newbyteorder("="))
        for channel, z in product(range(channels), range(0, depth, step)):
            stop = min(z + step, depth)
            array[channel, z:stop] = (
                self.plane(channel, z)
                if self.by_plane
                else self.load(channel, z, stop, slice(None))
            )
        return array

    @abstractmethod
    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        """Voxels (z,y,X) as `read`; raises whatever the format's library raises."""

    def absent_voxels(self, channel: int) -> int:
        """How many voxels of a channel have no data in the files, and are read as 0."""
        return 0

    def plane_name(self, channel: int, z: int) -> str:
        """What to call a plane in a message."""
        return f"{self.path}, channel {channel}, plane {z}"

    def close(self) -> None:  # noqa: B027, most formats keep nothing open
        """Close what is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def closed_on_error(file: Any) -> Iterator[None]:
    """Close a file where what is done with it fails; else it stays open."""
    try:
        yield
    except BaseException:
        file.close()
        raise


def fingerprint(images: Sequence[ImageFile]) -> str:
    """Changes with the name, size or time of any file of the images."""
    text = json.dumps([[image.identity, image.shape, str(image.dtype)] for image in images])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a format's library raises on a bad file into one line that names the file."""
    try:
        with proportionate(path, "an image"):
            yield
    except InputError:
        raise
    except UnreadablePlaneError as error:
        raise InputError(f"{error} (truncated or damaged: copy or save it again)") from error
    except FileNotFoundError:
        raise InputError(f"{path}: expected an image file, found nothing") from None
    except PermissionError:
        raise InputError(
            f"{path}: expected a readable file, found no permission to read it (chmod u+r)"
        ) from None
    except Exception as error:  # the formats' libraries share no base class of errors
        raise InputError(
            f"{path}: expected a whole image, found one that does not read "
            f"({reason_of(error)}) (truncated or damaged: copy or save it again)"
        ) from error


def canonical(array: np.ndarray, axes: str, path: Path) -> np.ndarray:
    """Order axes as (C,Z,Y,X) after dropping single non-spatial ones; needs Z, Y and X.

    `axes` has one letter a dimension of `array`.
    """
    extra = tuple(i for i, a in enumerate(axes) if a not in "ZYX" and array.shape[i] == 1)
    array = array.squeeze(extra)
    axes = "".join(letter for i, letter in enumerate(axes) if i not in extra)
    stored = f"shape {array.shape}, axes {axes}"
    if dict(zip(axes, array.shape, strict=True)).get("C", 1) > MOST_LIKELY_CHANNELS:
        stored += " (its planes may be stored as channels: save them as Z)"
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


def with_planes(axes: str, shape: Sequence[int], path: Path, others: str) -> str:
    """Axes of which one is Z: programs may store planes as times, or under another letter.

    others: such letters, the likely ones first. One is taken for Z where Z has one plane or is
    absent, and that has several.
    """
    lengths = dict(zip(axes, shape, strict=False))
    other = next((letter for letter in others if lengths.get(letter, 1) > 1), None)
    if lengths.get("Z", 1) > 1 or other is None:
        return axes
    if other == "T":
        log.warning("%s: its planes are stored as times, axes %s: taken for Z", path, axes)
    return axes.replace("Z", "?").replace(other, "Z", 1)


def check_channels_first(shape: Sequence[int], path: Path) -> None:
    """Raise InputError for an array without names of axes whose last one looks like channels."""
    if len(shape) == 4 and 1 < shape[3] <= MOST_LIKELY_CHANNELS < min(shape[1:3]):
        raise InputError(
            f"{path}: expected axes C, Z, Y, X, found shape {tuple(shape)}, whose last axis looks "
            "like channels (save them first, or in a format that names its axes)"
        )


def canonical_shape(shape: Sequence[int], axes: str, path: Path) -> tuple[int, int, int, int]:
    """(C,Z,Y,X) of an array of this shape; nothing is allocated. Raises as `canonical`."""
    return canonical(np.broadcast_to(np.uint8(0), shape), axes, path).shape


def _in_one_line(name: str) -> str:
    """A channel's name as it may stand in messages and settings, whatever the file holds."""
    return " ".join("".join(c if c.isprintable() else " " for c in name[:200]).split())


def reason_of(error: BaseException) -> str:
    """An exception of a library in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def file_state(file: Path) -> tuple[str, int, int]:
    """Name, size and time of a file."""
    stat = file.stat()
    return file.name, stat.st_size, stat.st_mtime_ns
