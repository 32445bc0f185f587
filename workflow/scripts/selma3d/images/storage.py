"""Arrays in HDF5: chunks and compression, and files that are opened late, once a process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

# A thread pool inside the Blosc filter does not survive a fork; parallelism is the callers'.
os.environ.setdefault("BLOSC_NTHREADS", "1")

import h5py
import hdf5plugin
import numpy as np

from ..system.errors import InputError
from ..system.limits import check_file, check_limit, check_size
from .hdf5_checks import (
    MOST_SEARCHED,
    attribute,
    check_chunks,
    check_filters,
    first_line,
    hdf5_faults_told,
    refuse_links,
)
from .hdf5_texts import check_texts
from .intensity import Intensity

CONTRACT_VERSION = 1
CHUNK = 64
# Random windows of a large volume gain nothing from a larger cache, and loaders hold many files.
CACHE_BYTES = 8 << 20

Slices = tuple[slice, slice, slice]
VoxelSize = tuple[float, float, float]
ArrayOnDisk = np.ndarray | h5py.Dataset  # (Z,Y,X), also one in memory; read a part at a time


def chunk_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """64³ clipped to the image's (Z,Y,X); leading axes (channels) get chunks of one."""
    spatial = tuple(min(CHUNK, size) for size in shape[-3:])
    return (1,) * (len(shape) - 3) + spatial


def boxes(shape: Sequence[int], edges: Sequence[int]) -> Iterator[Slices]:
    """The blocks of a volume (Z,Y,X) in scan order; those at its far faces are cut."""
    for corner in product(*map(range, [0] * 3, shape, edges)):
        yield tuple(slice(c, min(c + e, n)) for c, e, n in zip(corner, edges, shape, strict=True))


def compression() -> dict[str, Any]:
    """The filter of every image and mask: Blosc with lz4 and bit shuffling, lossless.

    Blosc, not Blosc2: the same size, and a fifth more random patches a second.
    """
    return dict(hdf5plugin.Blosc(cname="lz4", clevel=5, shuffle=hdf5plugin.Blosc.BITSHUFFLE))


def write_array(group: h5py.Group, name: str, array: np.ndarray) -> h5py.Dataset:
    """Store a (…,Z,Y,X) array, chunked and compressed."""
    return group.create_dataset(name, data=array, chunks=chunk_shape(array.shape), **compression())


def stamp(handle: h5py.File, kind: str) -> None:
    """Mark a file with its kind and the contract's version."""
    handle.attrs["contract_version"] = CONTRACT_VERSION
    handle.attrs["kind"] = kind


def describe(
    node: h5py.Group, specimen: str, voxel_size_um: VoxelSize | None, intensity: list[Intensity]
) -> None:
    """Write the attributes that patches and volumes share; an unknown voxel size is left out."""
    node.attrs["specimen"] = specimen
    if voxel_size_um is not None:
        node.attrs["voxel_size_um"] = np.asarray(voxel_size_um, dtype=np.float64)
    node.attrs["intensity"] = json.dumps([channel.to_json() for channel in intensity])


def voxel_size_of(node: h5py.Group) -> VoxelSize | None:
    """(z,y,x) in micrometres; None when unknown. ValueError for other than three numbers."""
    stored = attribute(node, "voxel_size_um")
    if stored is None:
        return None
    if np.shape(stored) != (3,):
        raise ValueError(f"voxel_size_um: three numbers (z,y,x) expected, shape {np.shape(stored)}")
    return tuple(float(size) for size in stored)


def intensities_of(node: h5py.Group) -> list[Intensity]:
    """One `Intensity` a channel."""
    return [Intensity.from_json(stored) for stored in json.loads(attribute(node, "intensity"))]


def open_hdf5(path: Path, *, searched: bool = True, **options: int) -> h5py.File:
    """Open an HDF5 file to read it; all that it gives lies in the file itself.

    searched: for texts longer than the file, which reads all of it; not needed where this process
    wrote the file. Raises InputError where it is absent, broken or no regular file, and where a
    link in it leads elsewhere: into another file, or to another name. Datasets whose voxels lie
    elsewhere are for `stored_here` to refuse.
    """
    size = check_file(path, "an HDF5 file")
    try:
        if searched and 0 < size <= MOST_SEARCHED:
            check_texts(path)
        file = h5py.File(path, "r", locking=False, **options)
    except FileNotFoundError:
        raise InputError(f"{path}: expected an HDF5 file, found nothing") from None
    except OSError as error:
        raise InputError(
            f"{path}: expected a whole HDF5 file, found one that does not open "
            f"({first_line(error)}) (truncated or damaged: make it anew)"
        ) from None
    try:
        with hdf5_faults_told(path):
            refuse_links(file, path)
    except BaseException:
        file.close()
        raise
    return file


def kind_of(path: Path) -> str:
    """The kind that a file of ours states; InputError where it does not open."""
    with open_hdf5(path) as file, hdf5_faults_told(path):
        return str(attribute(file, "kind"))


def stored_here(dataset: h5py.Dataset, path: Path) -> h5py.Dataset:
    """`dataset`, if its voxels lie in the file itself. Raises InputError."""
    layout = dataset.id.get_create_plist()
    if layout.get_layout() == h5py.h5d.VIRTUAL or layout.get_external_count():
        name = dataset.name.removeprefix("/")
        raise InputError(f"{path}: {name}: expected data in this file, found it in another")
    if dataset.chunks is not None:
        where, chunk = f"{path}: {dataset.name}", prod(dataset.chunks) * dataset.dtype.itemsize
        check_limit(where, "bytes in a chunk", chunk, "CHUNK_BYTES")
        check_filters(dataset, where)
    return dataset


def whole(dataset: h5py.Dataset, path: Path, most_voxels: int | None = None) -> np.ndarray:
    """All of a dataset; InputError where it declares more than it may, see `check_size`."""
    with hdf5_faults_told(path):
        where, stored = f"{path}: {dataset.name}", dataset.id.get_storage_size()
        itemsize = dataset.dtype.itemsize
        check_size(where, dataset.shape, itemsize, packed=stored, most_voxels=most_voxels)
        check_chunks(dataset, where, path)
        return dataset[()]


Given = ParamSpec("Given")
Got = TypeVar("Got")


def reading(method: Callable[Given, Got]) -> Callable[Given, Got]:
    """A method of a `LazyFile` that reads: what a damaged file raises is told in one line."""

    @wraps(method)
    def told(*args: Given.args, **options: Given.kwargs) -> Got:
        with hdf5_faults_told(args[0].path):
            return method(*args, **options)

    return told


class LazyFile:
    """A read-only HDF5 file, opened at the first read and again after a fork; picklable.

    Raises InputError where the file is absent, broken, or of another kind or contract version.
    """

    kinds: tuple[str, ...] = ()

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._forget()

    def _forget(self) -> None:
        self._file: h5py.File | None = None
        self._process = -1
        self._datasets: dict[str, h5py.Dataset] = {}

    @property
    def file(self) -> h5py.File:
        """The handle of this process."""
        if self._file is None or self._process != os.getpid():
            self._forget()
            self._file = self._open()
            self._process = os.getpid()
        return self._file

    def _open(self) -> h5py.File:
        handle = open_hdf5(self.path, rdcc_nbytes=CACHE_BYTES, rdcc_nslots=10007)
        with hdf5_faults_told(self.path):
            kind, version = attribute(handle, "kind"), attribute(handle, "contract_version")
        if kind not in self.kinds:
            handle.close()
            raise InputError(
                f"{self.path}: kind: expected {' or '.join(self.kinds)}, found {kind!r}"
            )
        if version != CONTRACT_VERSION:
            handle.close()
            raise InputError(
                f"{self.path}: contract_version: expected {CONTRACT_VERSION}, found {version} "
                "(remove it and run the workflow again)"
            )
        return handle

    @reading
    def dataset(self, name: str) -> h5py.Dataset | None:
        """The dataset at `name`, looked up once a process; None if there is none."""
        file = self.file
        if name not in self._datasets:
            if name not in file:
                return None
            node = file[name]
            is_data = isinstance(node, h5py.Dataset)
            self._datasets[name] = stored_here(node, self.path) if is_data else node
        return self._datasets[name]

    def channel_of(self, image: h5py.Dataset, channel: int) -> int:
        """`channel`, if `image` (C,Z,Y,X) has it. Raises InputError."""
        if not 0 <= channel < image.shape[0]:
            raise InputError(
                f"{self.path}: channel: expected 0 to {image.shape[0] - 1}, found {channel} "
                "(the edition file names the channel of each structure)"
            )
        return channel

    def close(self) -> None:
        """Close this process's handle; the next read opens it again."""
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()
