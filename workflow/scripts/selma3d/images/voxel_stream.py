"""Voxels of one long run of bytes, as NIfTI and MHA have them, read some planes at a time.

A run that is packed is read forwards: planes in their order cost one pass and no more memory than
was asked for; a plane that lies before the last one begins the pass anew.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
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

    shape, axes: of the file, the slowest axis first. begin: of the run in the file. packer: gzip or
    zlib; None where the run is not packed. packed_bytes: its length, where it is not all that
    follows. before: bytes of the run before the first voxel. behind: that may follow the last one.
    scaling: slope and intercept of the values, None where there is none.
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
        return self.kept[1] in ORDERS


class PlaneStream:
    """The planes of a layout. Raises EOFError, zlib.error and InputError for a damaged run."""

    def __init__(self, layout: VoxelLayout) -> None:
        self.layout = layout
        self.file = layout.path.open("rb")
        self.size = layout.before + prod(layout.shape) * layout.dtype.itemsize
        self._begin()

    def planes(self, channel: int, start: int, stop: int) -> np.ndarray:
        """Planes [start, stop) of a channel, (z,Y,X), scaled."""
        shape, axes = self.layout.kept
        lengths = dict(zip(axes, shape, strict=True))
        plane = [lengths[axis] for axis in axes[axes.index("Y") :]]
        first = start + (channel * lengths["Z"] if axes == "CZYX" else 0)
        bytes_of_plane = prod(plane) * self.layout.dtype.itemsize
        content = self._read(
            self.layout.before + first * bytes_of_plane, (stop - start) * bytes_of_plane
        )
        block = np.frombuffer(content, self.layout.dtype).reshape(-1, *plane)
        block = block[..., channel] if axes == "ZYXC" else block
        return (
            block
            if self.layout.scaling is None
            else apply_read_scaling(block, *self.layout.scaling)
        )

    def close(self) -> None:
        self.file.close()

    def _read(self, start: int, length: int) -> bytes | bytearray:
        if self.layout.packer is None:
            self.file.seek(self.layout.begin + start)
            content = self.file.read(length)
            if len(content) < length:
                raise EOFError(f"{length} bytes of planes expected, {len(content)} there")
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
        self.unpacker = zlib.decompressobj(WORDS[self.layout.packer or "gzip"])

    def _take(self, most: int) -> bytes:
        """The next unpacked bytes, one at least. Raises EOFError where none follow."""
        content = self._unpacked(most)
        if not content:
            raise EOFError(f"{self.size} bytes expected, {self.position} there")
        self.position += len(content)
        return content

    def _unpacked(self, most: int) -> bytes:
        """The next bytes, `most` of them at most; none where the run has ended."""
        while True:
            if self.unpacker.eof:
                rest = self.unpacker.unused_data.lstrip(b"\0") or self._more().lstrip(b"\0")
                if not rest or self.layout.packer == "zlib":
                    return b""
                self.unpacker, self.waiting = zlib.decompressobj(WORDS["gzip"]), rest
            self.waiting = self.waiting or self._more()
            was_last = not self.waiting
            content = self.unpacker.decompress(self.waiting, most)
            self.waiting = self.unpacker.unconsumed_tail
            if content:
                return content
            if was_last and not self.unpacker.eof:
                raise EOFError("the packed stream has no end")

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
                raise InputError(
                    f"{self.layout.path}: expected the bytes that its header speaks of, found more"
                )
        self._begin()


def reversed_axes(shape: Sequence[int], axes: str) -> tuple[tuple[int, ...], str]:
    """Shape and axes with the slowest first, of those with the fastest first."""
    return tuple(reversed(shape)), axes[::-1]
