"""Slabs of a volume: as many planes of one channel as a chunk is deep, in a file of its own.

A slab's file appears whole, with all that is computed from its planes, and says whose slab it is. A
conversion that is killed therefore repeats at most the slab it was at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ...system.atomic import publish
from ...system.errors import InputError
from .. import BLOCK, block_statistics, chunk_shape, plane_hash
from ..hdf5_checks import attribute
from ..hdf5_writing import writing_hdf5
from ..readers import ImageFile, UnreadablePlaneError
from ..storage import compression, open_hdf5, stored_here
from .stored_values import whole_numbers

LARGEST_BUFFER = 256 << 20
LARGEST_STRIP = 64 << 20  # bytes that are read at a time of an image in chunks


@dataclass(frozen=True)
class Channel:
    """One channel of an image file: the `number`-th of its own."""

    image: ImageFile
    number: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z,Y,X)."""
        return self.image.shape[1:]


@dataclass(frozen=True)
class Slab:
    """Planes [start, stop) of one channel; `path` is its file in the work folder.

    The folder's name is that of the volume's planes and settings.
    """

    channel: int
    start: int
    stop: int
    path: Path

    @property
    def name(self) -> str:
        """Its name among the slabs of all volumes."""
        return f"{self.path.parent.name}/{self.path.stem}"

    def is_done(self) -> bool:
        """Whether its file is there, whole, and no other slab's."""
        try:
            with open_hdf5(self.path) as file:
                return attribute(file, "slab") == self.name
        except (OSError, ValueError, InputError):
            return False


@dataclass(frozen=True)
class SlabContent:
    """What a slab's file holds beside its chunks.

    `planes` are SHA-256 digests, `counts` the histogram, `occupancy` float32 (z,y,x,4),
    `interpolated` one record for each plane that was replaced.
    """

    planes: list[bytes]
    counts: np.ndarray
    occupancy: np.ndarray
    interpolated: list[dict[str, str | int]]


def cut(shape: tuple[int, int, int, int], folder: Path) -> list[Slab]:
    """The slabs of a (C,Z,Y,X) volume; their borders are borders of chunks."""
    depth = chunk_shape(shape)[1]
    return [
        Slab(channel, start, min(start + depth, shape[1]), folder / f"c{channel}-z{start:06d}.h5")
        for channel in range(shape[0])
        for start in range(0, shape[1], depth)
    ]


def convert_slab(
    slab: Slab, source: Channel, dtype: np.dtype, *, interpolate: bool, threads: int
) -> None:
    """Decode a slab in `threads` threads, measure it, and write its file.

    Raises InputError for an unreadable plane, unless it stands alone and `interpolate` is set.
    """
    (depth, height, width), size = source.shape, slab.stop - slab.start
    chunks = chunk_shape((1, depth, height, width))
    with (
        _buffer((size, height, width), dtype, slab.path.with_suffix(".buffer")) as planes,
        ThreadPoolExecutor(threads) as pool,
    ):
        if source.image.by_plane:
            records = _read_planes(slab, source, planes, pool, interpolate)
        else:
            records = []
            _read_strips(slab, source, planes)
        digests = list(pool.map(plane_hash, planes))
        strips = [planes[:, y : y + BLOCK] for y in range(0, height, BLOCK)]
        occupancy, counts = zip(*pool.map(block_statistics, strips), strict=True)
        with publish(slab.path) as temporary, writing_hdf5(temporary) as file:
            # Chunks at the far end are whole chunks in the final file too.
            image = file.create_dataset(
                "image", (1, chunks[1], height, width), dtype, chunks=chunks, **compression()
            )
            image[0, :size] = planes
            file["planes"] = np.frombuffer(b"".join(digests), np.uint8).reshape(size, -1)
            file["counts"] = np.sum(counts, axis=0)
            file["occupancy"] = np.concatenate(occupancy, axis=1)
            file.attrs["interpolated"] = json.dumps(records)
            file.attrs["slab"] = slab.name


def read_slab(slab: Slab) -> SlabContent:
    """Everything of a finished slab but its chunks."""
    with open_hdf5(slab.path) as file:
        return SlabContent(
            planes=[digest.tobytes() for digest in file["planes"][()]],
            counts=file["counts"][()],
            occupancy=file["occupancy"][()],
            interpolated=json.loads(file.attrs["interpolated"]),
        )


def read_plane(slabs: Sequence[Slab], z: int) -> np.ndarray:
    """Plane z (Y,X) of one channel's finished slabs."""
    slab = next(slab for slab in slabs if slab.start <= z < slab.stop)
    with open_hdf5(slab.path) as file:
        return stored_here(file["image"], slab.path)[0, z - slab.start]


def copy_chunks(slab: Slab, image: h5py.Dataset) -> None:
    """Copy a slab's compressed chunks, as they are, to their place in `image` (C,Z,Y,X)."""
    with open_hdf5(slab.path) as file:
        source = stored_here(file["image"], slab.path).id
        for number in range(source.get_num_chunks()):
            _, _, y, x = offset = source.get_chunk_info(number).chunk_offset
            filters, content = source.read_direct_chunk(offset)
            image.id.write_direct_chunk((slab.channel, slab.start, y, x), content, filters)


@contextmanager
def _buffer(shape: tuple[int, ...], dtype: np.dtype, path: Path) -> Iterator[np.ndarray]:
    """Room for a slab: memory, or, for planes too wide for that, a mapped file."""
    if np.dtype(dtype).itemsize * int(np.prod(shape)) <= LARGEST_BUFFER:
        yield np.empty(shape, dtype)
        return
    try:
        yield np.memmap(path, dtype, "w+", shape=shape)
    finally:
        path.unlink(missing_ok=True)


def _read_planes(
    slab: Slab,
    source: Channel,
    planes: np.ndarray,
    pool: ThreadPoolExecutor,
    interpolate: bool,
) -> list[dict[str, str | int]]:
    """Fill `planes` one at a time; records of those that are the mean of their neighbours."""

    def load(z: int) -> dict[str, str | int] | None:
        plane, record = _plane(source, slab.channel, z, interpolate)
        planes[z - slab.start] = plane
        return record

    return [record for record in pool.map(load, range(slab.start, slab.stop)) if record]


def _read_strips(slab: Slab, source: Channel, planes: np.ndarray) -> None:
    """Fill `planes` some rows at a time, as many as the file's chunks are high, or more."""
    size, height, width = planes.shape
    depth, rows = source.image.chunk
    # What is decoded at a time is a chunk deep, whatever is wanted of it.
    row = max(size, depth) * width * source.image.dtype.itemsize
    step = max(rows, LARGEST_STRIP // row // rows * rows)
    for y in range(0, height, step):
        strip = source.image.read(source.number, slab.start, slab.stop, slice(y, y + step))
        planes[:, y : y + step] = _whole(strip, source.image.path)


def _plane(
    source: Channel, channel: int, z: int, interpolate: bool
) -> tuple[np.ndarray, dict[str, str | int] | None]:
    """Plane z, and a record if it is the mean of its neighbours."""
    name = source.image.plane_name(source.number, z)
    try:
        return _whole_plane(source, z), None
    except UnreadablePlaneError as error:
        if not interpolate:
            raise InputError(
                f"{error} (copy or save it again; if it stands alone, set bad_plane: interpolate)"
            ) from error
        reason = str(error)
    neighbours = [n for n in (z - 1, z + 1) if 0 <= n < source.shape[0]]
    try:
        below, above = (_whole_plane(source, n).astype(np.uint32) for n in neighbours)
    except (UnreadablePlaneError, ValueError):
        raise InputError(
            f"{reason}: expected readable planes on both sides to interpolate from, found fewer "
            "(copy or save it again)"
        ) from None
    record = {"channel": channel, "z": z, "plane": name, "reason": reason}
    return (below + above) // 2, record


def _whole_plane(source: Channel, z: int) -> np.ndarray:
    plane = source.image.plane(source.number, z)
    return _whole(plane, Path(source.image.plane_name(source.number, z)))


def _whole(stored: np.ndarray, place: Path) -> np.ndarray:
    voxels = whole_numbers(stored, place)
    if voxels.dtype == np.float32:
        raise InputError(
            f"{place}: expected whole grey values up to 65535, found {stored.dtype} values "
            f"{voxels.min():g} to {voxels.max():g} (save the volume with 16 bits)"
        )
    return voxels
