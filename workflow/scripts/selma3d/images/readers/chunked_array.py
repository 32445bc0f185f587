"""Arrays in chunks, a file each, as Zarr (versions 2 and 3) and N5 have them; by tensorstore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...system.errors import InputError
from ...system.limits import check_limit
from .folder_tree import Identity, tree_state
from .image_file import ImageFile, canonical_shape, file_state
from .packed_chunks import PackedChunks

if TYPE_CHECKING:
    import tensorstore

SPARE_BYTES = 1 << 16  # that a chunk which does not compress may have beside its voxels
FILE_THREADS = 4
CHUNKS_AT_A_TIME = 4096  # each takes 3 kB while it is asked for


def open_array(folder: Path, driver: str) -> tensorstore.TensorStore:
    """An array by its metadata; `driver` is zarr, zarr3 or n5. Raises InputError."""
    import tensorstore  # takes half a second, and most runs have no such image

    spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{folder.resolve()}/"}}
    context = tensorstore.Context(
        {
            "cache_pool": {"total_bytes_limit": 0},
            "data_copy_concurrency": {"limit": 1},
            "file_io_concurrency": {"limit": FILE_THREADS},
        }
    )
    array = tensorstore.open(spec, open=True, read=True, context=context).result()
    chunk = prod(array.chunk_layout.read_chunk.shape or (1,)) * array.dtype.numpy_dtype.itemsize
    check_limit(folder, "bytes in a chunk", chunk, "CHUNK_BYTES")
    if array.dtype.numpy_dtype.kind not in "buif":
        raise InputError(f"{folder}: expected numbers, one a voxel, found type {array.dtype.name}")
    return array


def _read(array: tensorstore.TensorStore, region: Sequence[slice]) -> np.ndarray:
    """The voxels of a region, of so many chunks at a time that asking for them takes no memory."""
    block = np.empty([part.stop - part.start for part in region], array.dtype.numpy_dtype)
    for piece in _pieces(region, array.chunk_layout.read_chunk.shape):
        place = tuple(
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(piece, region, strict=True)
        )
        block[place] = array[tuple(piece)].read().result()
    return block


def _pieces(region: Sequence[slice], chunk: Sequence[int]) -> Iterator[Sequence[slice]]:
    """A region, halved between chunks until no part touches too many of them."""
    chunks = [
        -(-part.stop // length) - part.start // length
        for part, length in zip(region, chunk, strict=True)
    ]
    axis = int(np.argmax(chunks))
    if prod(chunks) <= CHUNKS_AT_A_TIME:
        yield region
        return
    part = region[axis]
    middle = (part.start // chunk[axis] + chunks[axis] // 2) * chunk[axis]
    for half in (slice(part.start, middle), slice(middle, part.stop)):
        yield from _pieces([*region[:axis], half, *region[axis + 1 :]], chunk)


@dataclass(kw_only=True, eq=False)
class ChunkedImage(ImageFile):
    """An image of one array or, with a channel each, of several.

    folder: that holds all metadata and arrays. array_axes: a letter for each axis of an array.
    """

    folders: tuple[Path, ...]
    arrays: Sequence[tensorstore.TensorStore]
    array_axes: str
    packed: Sequence[PackedChunks]

    @classmethod
    def of(
        cls, path: Path, folders: Sequence[Path], driver: str, axes: str, **header: object
    ) -> ChunkedImage:
        """The image of the arrays in these folders, `axes` a letter for each axis of one."""
        arrays = [open_array(folder, driver) for folder in folders]
        for folder, array in zip(folders, arrays, strict=True):
            if array.shape != arrays[0].shape:
                raise InputError(
                    f"{folder}: expected shape {arrays[0].shape} as {folders[0].name}, found "
                    f"{array.shape}"
                )
        shape = arrays[0].shape
        if len(axes) != len(shape):
            raise InputError(f"{path}: expected axes {axes} as its metadata state, found {shape}")
        channels, *grid = canonical_shape(shape, axes, path)
        chunk = dict(zip(axes, arrays[0].chunk_layout.read_chunk.shape, strict=True))
        return cls(
            path=path,
            shape=(channels * len(arrays), *grid),
            dtype=arrays[0].dtype.numpy_dtype,
            axes=axes,
            chunk=(chunk["Z"], chunk["Y"]),
            folders=tuple(folders),
            arrays=arrays,
            array_axes=axes,
            packed=[
                PackedChunks.of(folder, driver, array)
                for folder, array in zip(folders, arrays, strict=True)
            ],
            **header,
        )

    def state(self) -> Identity:
        """The state of all files of metadata and of the arrays; links among them are refused."""
        found = tuple(file_state(file) for file in self.files if file.is_file())
        for folder, array in zip(self.folders, self.arrays, strict=True):
            layout = array.chunk_layout
            voxels = prod(layout.write_chunk.shape or array.shape)  # of a file
            most = int(voxels * self.dtype.itemsize * 1.1) + SPARE_BYTES
            found += tree_state(folder, most)
        return found

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        assert self.identity  # its files are looked at before one is opened
        array = self.arrays[channel if len(self.arrays) > 1 else 0]
        region = self._region(channel, start, stop, rows)
        self.packed[channel if len(self.arrays) > 1 else 0].check(region)
        single = tuple(slice(None) if axis in "ZYX" else 0 for axis in self.array_axes)
        block = _read(array, region)[single]
        left = [axis for axis in self.array_axes if axis in "ZYX"]
        return block.transpose([left.index(axis) for axis in "ZYX"])

    def absent_voxels(self, channel: int) -> int:
        chunks = self.packed[channel if len(self.arrays) > 1 else 0]
        return chunks.absent(self._region(channel, 0, self.shape[1], slice(None)))

    def _region(self, channel: int, start: int, stop: int, rows: slice) -> list[slice]:
        """A slice for each axis of the array that holds these planes of a channel."""
        number = channel if len(self.arrays) == 1 else 0
        at = {
            "Z": slice(start, stop),
            "Y": slice(*rows.indices(self.shape[2])[:2]),
            "X": slice(0, self.shape[3]),
            "C": slice(number, number + 1),
        }
        return [at.get(axis, slice(0, 1)) for axis in self.array_axes]
