"""Checks of an HDF5 file before the library reads it: it trusts sizes and settings in the file.

A damaged one may take gigabytes, hang or end the process. What HDF5 itself reports is told in one
line; links, attributes, filters and the sizes of packed chunks are looked at here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import h5py

from ..system.errors import InputError
from ..system.limits import check_limit, limit, proportionate
from .packed_streams import MOST_DEFLATED, blosc_size, unpacked_size

MOST_SEARCHED = 1 << 30  # bytes of a file that is searched for texts; only volumes are larger

DEFLATE, SHUFFLE, FLETCHER32, LZF = 1, 2, 3, 32000
BLOSC, LZ4, BITSHUFFLE, ZSTD = 32001, 32004, 32008, 32015
PACKERS = {DEFLATE: "gzip", LZF: "lzf", BLOSC: "blosc", LZ4: "lz4", ZSTD: "zstd"}
PLAIN = {SHUFFLE: "shuffle", FLETCHER32: "fletcher32"}
FEWEST_VALUES = {BLOSC: 4, BITSHUFFLE: 3, LZF: 3, SHUFFLE: 1, DEFLATE: 1}
ATTRIBUTE_CLASSES = (h5py.h5t.STRING, h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)
SPARE = 4096  # bytes that a filter may add to a chunk


@contextmanager
def hdf5_faults_told(path: Path) -> Iterator[None]:
    """Turn whatever HDF5 raises on a damaged file into one line that names the file."""
    try:
        with proportionate(path, "an HDF5 file"):
            yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: expected a whole HDF5 file of its kind, found one that does not read "
            f"({first_line(error)}) (truncated or damaged: make it anew)"
        ) from error


def first_line(error: BaseException) -> str:
    """An exception in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def refuse_links(file: h5py.File, path: Path) -> None:
    """Raise InputError where a link leads into another file, or to another name."""

    def link(name: bytes, info: h5py.h5l.LinkInfo) -> str | None:
        return None if info.type == h5py.h5l.TYPE_HARD else name.decode(errors="replace")

    linked = file.id.links.visit(link, info=True)
    if linked is not None:
        raise InputError(f"{path}: {linked}: expected data in this file, found a link")


def attribute(node: h5py.Group | h5py.Dataset, name: str) -> Any:
    """An attribute, if it is text or numbers; else None. Raises what HDF5 raises."""
    if name not in node.attrs:
        return None
    stored = node.attrs.get_id(name)
    kind = stored.get_type()
    if kind.get_class() not in ATTRIBUTE_CLASSES or kind.committed():  # a type lies with its texts
        raise ValueError(f"attribute {name}: neither text nor numbers of a type of its own")
    # The memory that a reading takes; a text of its own length lies in a heap.
    check_limit(f"attribute {name}", "bytes", prod(stored.shape) * kind.get_size(), "TEXT_BYTES")
    return node.attrs[name]


def check_filters(dataset: h5py.Dataset, where: str) -> None:
    """Raise InputError for filters that are not known here, packed twice, or without settings."""
    settings = dataset.id.get_create_plist()
    found = [settings.get_filter(n)[::2] for n in range(settings.get_nfilters())]
    codes = [code for code, _ in found]
    known = [*PACKERS, *PLAIN, BITSHUFFLE]
    packers = [code for code in codes if code in (*PACKERS, BITSHUFFLE)]
    if not set(codes) <= set(known) or len(packers) > 1:
        names = ", ".join([*PACKERS.values(), "bitshuffle", *PLAIN.values()])
        raise InputError(
            f"{where}: expected filters that are checked here ({names}), one that packs, found "
            f"numbers {', '.join(map(str, codes))} (write it with gzip)"
        )
    for code, values in found:
        if len(values) < FEWEST_VALUES.get(code, 0):
            raise InputError(f"{where}: filter {code}: expected its settings, found {values}")


def check_chunks(
    dataset: h5py.Dataset,
    where: str,
    file: Path,
    region: Sequence[slice] | None = None,
    checked: set[int] | None = None,
) -> None:
    """Raise InputError for chunks that would be unpacked to another size than theirs.

    What a packer says of a chunk at its beginning is compared; a gzip stream that could become
    much more than its chunk is unpacked here first, as far as the chunk's size.
    region: a slice an axis, without steps, where not all chunks are read. checked: the places of
    chunks that were found right; they are left out, and others are added.
    """
    settings = dataset.id.get_create_plist()
    codes = [settings.get_filter(n)[0] for n in range(settings.get_nfilters())]
    places = [n for n, code in enumerate(codes) if code in (*PACKERS, BITSHUFFLE)]
    if not places:
        return
    packer, own_bit = codes[places[0]], 1 << places[0]
    chunk = prod(dataset.chunks) * dataset.dtype.itemsize
    checked = set() if checked is None else checked
    chunks = _chunks(dataset, region)
    descriptor = os.open(file, os.O_RDONLY)
    try:
        for left_out, offset, size in chunks:
            if offset in checked:
                continue
            if left_out & own_bit:  # as where packing would gain nothing
                promised = size
            elif packer == DEFLATE and size * MOST_DEFLATED > limit("UNPACKED_FREELY") + chunk:
                promised = unpacked_size("gzip", os.pread(descriptor, size, offset), chunk + SPARE)
            else:
                promised = _promise(packer, os.pread(descriptor, 32, offset), size, chunk)
            if not 0 <= promised <= chunk + SPARE:
                raise InputError(
                    f"{where}: expected chunks of {chunk} bytes, found one that would be unpacked "
                    "to another size (damaged: make it anew)"
                )
            checked.add(offset)
    finally:
        os.close(descriptor)


def absent_voxels(dataset: h5py.Dataset, shape: Sequence[int]) -> int:
    """How many of the first voxels, as many as `shape` says, have no chunk in the file."""
    if dataset.chunks is None:
        return 0 if dataset.id.get_storage_size() else prod(shape)
    stored: list[h5py.h5d.StoreInfo] = []
    dataset.id.chunk_iter(stored.append)
    inside = (
        prod(
            max(0, min(length, start + chunk) - start)
            for length, start, chunk in zip(shape, info.chunk_offset, dataset.chunks, strict=True)
        )
        for info in stored
    )
    return prod(shape) - sum(inside)


def _chunks(dataset: h5py.Dataset, region: Sequence[slice] | None) -> list[tuple[int, int, int]]:
    """Filter mask, place and size of each chunk that is stored, of those in a region."""
    found: list[h5py.h5d.StoreInfo] = []
    if region is None:
        dataset.id.chunk_iter(found.append)
    else:
        steps = [
            range(part.start // length * length, part.stop, length)
            for part, length in zip(region, dataset.chunks, strict=True)
        ]
        found = [dataset.id.get_chunk_info_by_coord(corner) for corner in product(*steps)]
    return [(c.filter_mask, c.byte_offset, c.size) for c in found if c.byte_offset is not None]


def _promise(packer: int, head: bytes, size: int, chunk: int) -> int:
    """The bytes that a chunk of `size` says it becomes; -1 where it contradicts itself."""
    if packer == BLOSC:
        return blosc_size(head, size)
    if packer == BITSHUFFLE:  # lz4 or zstd within it begin so; plain bitshuffle has no head
        return chunk if size == chunk else int.from_bytes(head[:8], "big")
    if packer == LZ4:
        return int.from_bytes(head[:8], "big")
    if packer == ZSTD:
        return _promise_of_zstd(head)
    return chunk


def _promise_of_zstd(head: bytes) -> int:
    """Content size of a zstd frame (RFC 8878, 3.1.1.1); -1 where none is stated."""
    if head[:4] != b"\x28\xb5\x2f\xfd":
        return -1
    flags = int.from_bytes(head[4:5], "little")
    is_single = flags >> 5 & 1
    width = (is_single, 2, 4, 8)[flags >> 6]
    start = 5 + (0 if is_single else 1) + (0, 1, 2, 4)[flags & 3]
    if width == 0:
        return -1
    return int.from_bytes(head[start : start + width], "little") + (256 if width == 2 else 0)
