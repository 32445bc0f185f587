"""Voxels of one long run of bytes, as NIfTI and MHA have them, read whole or some planes at a time.

A run that is packed is read forwards: planes in their order cost one pass and no more memory than
was asked for; a plane that lies before the last one begins the pass anew.
"""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from nibabel.volumeutils import apply_read_scaling

from ..system.errors import InputError

PART = 1 << 20  # bytes that are read or passed over at a time
WORDS = {"gzip": 31, "zlib": 15}  # zlib's, for a stream with its checksum
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
    """The voxels of a layout. Raises InputError for a run that is damaged or of another length."""

    def __init__(self, layout: VoxelLayout) -> None:
        self.layout = layout
        self.file = layout.path.open("rb")
        self.size = layout.before + prod(layout.shape) * layout.dtype.itemsize
        self._begin()

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
        voxels = np.frombuffer(self._read(start, stop - start), self.layout.dtype)
        scaling = self.layout.scaling
        return voxels if scaling is None else apply_read_scaling(voxels, *scaling)

    def _read(self, start: int, length: int) -> bytes | bytearray:
        if self.layout.packer is None:
            self.file.seek(self.layout.begin + start)
            content = self.file.read(length)
            if len(content) < length:
                raise self._too_short(start + len(content))
            return content
        if start < self.position:
            self._begin()
        while self.position < start:
            self._take(min(PART, start - self.position))
        content, filled = bytearray(length), 0
        while filled < length:
            part = self._take(min(PART, length - filled))
            content[filled : filled + len(part)] = part
            filled += len(part)
        if self.position == self.size:
            self._read_end()
        return content

    def _begin(self) -> None:
        self.file.seek(self.layout.begin)
        self.position = 0  # in what is unpacked
        self.left = self.layout.packed_bytes
        self.waiting = b""
        self.unpacker = zlib.decompressobj(WORDS.get(self.layout.packer, 0))

    def _take(self, most: int) -> bytes:
        """The next unpacked bytes, one at least. Raises InputError where none follow."""
        content = self._unpacked(most)
        if not content:
            raise self._too_short(self.position)
        self.position += len(content)
        return content

    def _unpacked(self, most: int) -> bytes:
        """The next bytes, `most` of them at most; none where the run has ended."""
        path = self.layout.path
        while True:
            if self.unpacker.eof:
                rest = self.unpacker.unused_data.lstrip(b"\0") or self._more().lstrip(b"\0")
                if not rest or self.layout.packer == "zlib":
                    return b""
                self.unpacker, self.waiting = zlib.decompressobj(WORDS["gzip"]), rest
            self.waiting = self.waiting or self._more()
            if not self.waiting and not self.position:
                return b""
            was_last = not self.waiting
            try:
                content = self.unpacker.decompress(self.waiting, most)
            except zlib.error as error:
                raise InputError(
                    f"{path}: expected whole voxels, found a damaged stream ({error}: copy or save "
                    "it again)"
                ) from None
            self.waiting = self.unpacker.unconsumed_tail
            if content:
                return content
            if was_last and not self.unpacker.eof:
                raise InputError(
                    f"{path}: expected a whole stream of voxels, found one that breaks off: it has "
                    "no end (truncated: copy or save it again)"
                )

    def _more(self) -> bytes:
        content = self.file.read(PART if self.left is None else min(PART, self.left))
        if self.left is not None:
            self.left -= len(content)
        return content

    def _read_end(self) -> None:
        """Read on to the checksum; InputError where more than the header speaks of follows."""
        behind = 0
        while content := self._unpacked(PART):
            behind += len(content)
            if behind > self.layout.behind:
                raise _other_amount(self.layout.path, "more", self.size - self.layout.before)
        self._begin()

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

    def _too_short(self, found: int) -> InputError:
        expected = self.size - self.layout.before
        return _other_amount(self.layout.path, max(0, found - self.layout.before), expected)


def check_amount(path: Path, found: int, expected: int, what: str = "bytes of voxels") -> None:
    """Raise InputError where a file holds more or less than its header says."""
    if found != expected:
        raise _other_amount(path, found if found < expected else "more", expected, what)


def _other_amount(
    path: Path, found: int | str, expected: int, what: str = "bytes of voxels"
) -> InputError:
    told = found if found == "more" else f"{found} (truncated: copy or save it again)"
    return InputError(f"{path}: expected {expected} {what} as the header says, found {told}")
