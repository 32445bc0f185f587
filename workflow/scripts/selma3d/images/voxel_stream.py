"""Voxels of one long run of bytes, as NIfTI and MHA have them, read whole or some planes at a time.

A run that is packed is read forwards: planes in their order cost one pass and no more memory than
was asked for; a plane that lies before the last one begins the pass anew.
"""

from __future__ import annotations

import gzip
import warnings
import zlib
from dataclasses import dataclass
from math import inf, prod
from pathlib import Path

import numpy as np
from nibabel.volumeutils import apply_read_scaling

from ..system.errors import InputError

PART = 1 << 20  # bytes that are read or passed over at a time
ORDERS = ("ZYX", "CZYX", "ZYXC")  # of axes, the slowest first, that are read so


@dataclass(frozen=True, kw_only=True)
class VoxelLayout:
    """Where the voxels of a file lie.

    shape, axes: of the file, the slowest axis first. begin: of the run in the file. packer: gzip,
    zlib, or text for numbers in words; None where the run is as it is in memory. packed_bytes: its
    length, where it is not all that follows. before: bytes of the run before the first voxel.
    behind: that may follow the last one. scaling: slope and intercept of the values, None where
    there is none.
    """

    path: Path
    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype
    begin: int = 0
    packer: str | None = None
    packed_bytes: int | None = None
    before: int = 0
    behind: int = 0
    scaling: tuple[float, float] | None = None

    @property
    def kept(self) -> tuple[tuple[int, ...], str]:
        """Shape and axes without those of length 1 that are none of Z, Y, X."""
        pairs = zip(self.shape, self.axes, strict=True)
        kept = [(n, axis) for n, axis in pairs if n != 1 or axis in "ZYX"]
        return tuple(n for n, _ in kept), "".join(axis for _, axis in kept)

    @property
    def can_be_streamed(self) -> bool:
        """Whether each plane of a channel is one stretch of the run."""
        return self.packer != "text" and self.kept[1] in ORDERS


class PlaneStream:
    """The voxels of a layout. Raises InputError for a run of another length, and what its packer
    raises where it is damaged.
    """

    def __init__(self, layout: VoxelLayout) -> None:
        self.layout = layout
        self.size = layout.before + prod(layout.shape) * layout.dtype.itemsize
        if layout.packer == "gzip":
            self.file = gzip.open(layout.path)  # noqa: SIM115 - `close` closes it
        elif layout.packer == "zlib":
            self.file = _Inflated(layout.path, layout.begin, layout.packed_bytes)
        else:
            self.file = layout.path.open("rb")

    def whole(self) -> np.ndarray:
        """All voxels in the layout's own shape, scaled."""
        if self.layout.packer == "text":
            return self._numbers_in_words().reshape(self.layout.shape)
        return self._voxels(self.layout.before, self.size).reshape(self.layout.shape)

    def planes(self, channel: int, start: int, stop: int) -> np.ndarray:
        """Planes [start, stop) of a channel, (z,Y,X), scaled."""
        shape, axes = self.layout.kept
        lengths = dict(zip(axes, shape, strict=True))
        plane = [lengths[axis] for axis in axes[axes.index("Y") :]]
        shift = channel * lengths["Z"] if axes == "CZYX" else 0
        first, last = (
            self.layout.before + (z + shift) * prod(plane) * self.layout.dtype.itemsize
            for z in (start, stop)
        )
        block = self._voxels(first, last).reshape(-1, *plane)
        return block[..., channel] if axes == "ZYXC" else block

    def close(self) -> None:
        self.file.close()

    def _voxels(self, start: int, stop: int) -> np.ndarray:
        """The bytes [start, stop) of the run as voxels; after the last, its checksum is read."""
        is_packed, before = self.layout.packer is not None, self.layout.before
        self.file.seek(start if is_packed else self.layout.begin + start)
        content, filled = bytearray(stop - start), 0
        while part := self.file.read(min(PART, len(content) - filled)):
            content[filled : filled + len(part)] = part
            filled += len(part)
        if filled < len(content):
            found = max(0, start + filled - before)
            raise _other_amount(self.layout.path, found, self.size - before)
        if is_packed and stop == self.size:
            behind = self.file.read(self.layout.behind + 1)
            if len(behind) > self.layout.behind:
                raise _other_amount(self.layout.path, "more", self.size - before)
        voxels, scaling = np.frombuffer(content, self.layout.dtype), self.layout.scaling
        return voxels if scaling is None else apply_read_scaling(voxels, *scaling)

    def _numbers_in_words(self) -> np.ndarray:
        """The numbers of a text, as many as the header says."""
        self.file.seek(self.layout.begin)
        text = self.file.read().decode("latin-1")
        with warnings.catch_warnings(action="error"):
            try:
                numbers = np.fromstring(text, self.layout.dtype.newbyteorder("="), sep=" ")
            except DeprecationWarning:  # numpy's word for text that is no number
                raise InputError(
                    f"{self.layout.path}: expected numbers as text, found another text"
                ) from None
        check_amount(self.layout.path, len(numbers), prod(self.layout.shape), "numbers")
        return numbers


class _Inflated:
    """What a zlib stream in a file becomes, read forwards; before its place it begins anew."""

    def __init__(self, path: Path, begin: int, packed_bytes: int) -> None:
        self.file, self.begin, self.packed_bytes = path.open("rb"), begin, packed_bytes
        self.place = inf
        self.seek(0)

    def seek(self, place: int) -> None:
        if place < self.place:
            self.file.seek(self.begin)
            self.place, self.left, self.unpacker = 0, self.packed_bytes, zlib.decompressobj()
        while self.place < place and self.read(min(PART, place - self.place)):
            pass

    def read(self, length: int) -> bytearray:
        content = bytearray()
        while len(content) < length and not self.unpacker.eof:
            waiting = self.unpacker.unconsumed_tail
            if not waiting:
                waiting = self.file.read(min(PART, self.left))
                self.left -= len(waiting)
            part = self.unpacker.decompress(waiting, length - len(content))
            if not (waiting or part or self.unpacker.eof):
                raise EOFError("a stream of voxels that breaks off: it has no end")
            content += part
        self.place += len(content)
        return content

    def close(self) -> None:
        self.file.close()


def check_amount(path: Path, found: int, expected: int, what: str = "bytes of voxels") -> None:
    """Raise InputError where a file holds more or less than its header says."""
    if found != expected:
        raise _other_amount(path, found if found < expected else "more", expected, what)


def _other_amount(
    path: Path, found: int | str, expected: int, what: str = "bytes of voxels"
) -> InputError:
    told = found if found == "more" else f"{found} (truncated: copy or save it again)"
    return InputError(f"{path}: expected {expected} {what} as the header says, found {told}")
