"""Zeiss CZI of one fused image: planes of channels, at full resolution; by czifile.

czifile knows no zstd, in which newer microscopes write; imagecodecs unpacks that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import imagecodecs
import numpy as np

from ....system.errors import InputError
from ....system.limits import check_limit, check_size
from ...geometry import Geometry
from ..image_file import ImageFile, canonical_shape, closed_on_error
from . import Format

if TYPE_CHECKING:
    import czifile

ZSTD, ZSTD_WITH_HEADER = 5, 6  # compressions of a sub-block, as ZISRAW numbers them
HIGH_AND_LOW_BYTES = 1  # the kind of part of a zstd header that says so
METRE_UM = 1e6


@dataclass(kw_only=True, eq=False)
class CziImage(ImageFile):
    """A CZI file; `blocks` are its sub-blocks by channel and plane."""

    by_plane = True

    czi: czifile.CziFile
    blocks: dict[tuple[int, int], czifile.DirectoryEntryDV]
    lock: Lock = field(default_factory=Lock)

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        return np.stack([self._plane(channel, z)[rows] for z in range(start, stop)])

    def _plane(self, channel: int, z: int) -> np.ndarray:
        entry = self.blocks[channel, z]
        with self.lock:  # one place in the file for all threads
            segment = entry.data_segment()
            packed = entry.compression in (ZSTD, ZSTD_WITH_HEADER)
            found = segment.data(raw=packed, resize=False)
        if packed:
            found = _unpacked(found, entry.compression, self.shape[2:], self.dtype)
        return np.asarray(found).reshape(self.shape[2:])

    def close(self) -> None:
        self.czi.close()


def open_czi(path: Path, _: bool) -> CziImage:
    """A CZI file by its directory. Raises InputError for tiles, views and times."""
    import czifile  # few runs have such an image

    czi = czifile.CziFile(str(path), multifile=False)
    with closed_on_error(czi):
        entries = [e for e in czi.subblock_directory if e.shape == e.stored_shape]
        check_limit(path, "planes", len(entries), "PAGES")
        blocks = _planes(entries, path)
        channels, depth = (1 + max(key[axis] for key in blocks) for axis in (0, 1))
        first = next(iter(blocks.values()))
        height, width = (first.shape[first.axes.index(axis)] for axis in "YX")
        missing = channels * depth - len(blocks)
        if missing:
            numbers = ((c, z) for c in range(channels) for z in range(depth))
            channel, plane = next(number for number in numbers if number not in blocks)
            raise InputError(
                f"{path}: expected {depth} planes of each of {channels} channels, found "
                f"{missing} missing, such as plane {plane} of channel {channel}"
            )
        check_size(path, (height, width), np.dtype(first.dtype).itemsize)
        about = ElementTree.fromstring(czi.metadata())
        return CziImage(
            path=path,
            shape=canonical_shape((channels, depth, height, width), "CZYX", path),
            dtype=np.dtype(first.dtype),
            axes=czi.axes,
            geometry=_geometry(about),
            channel_names=_names(about),
            packed_bytes=path.stat().st_size if first.compression else None,
            czi=czi,
            blocks=blocks,
        )


def _planes(
    entries: list[czifile.DirectoryEntryDV], path: Path
) -> dict[tuple[int, int], czifile.DirectoryEntryDV]:
    """Sub-blocks by channel and plane, numbered from 0; all of one shape, each plane one block."""
    if not entries:
        raise InputError(f"{path}: expected planes, found none")
    starts = [dict(zip(entry.axes, entry.start, strict=True)) for entry in entries]
    lowest = {axis: min(start.get(axis, 0) for start in starts) for axis in "CZ"}
    blocks: dict[tuple[int, int], czifile.DirectoryEntryDV] = {}
    common = entries[0].shape, entries[0].axes, entries[0].dtype
    for entry, start in zip(entries, starts, strict=True):
        key = start.get("C", 0) - lowest["C"], start.get("Z", 0) - lowest["Z"]
        if key in blocks:
            other = dict(zip(blocks[key].axes, blocks[key].start, strict=True))
            differ = [axis for axis in start if start[axis] != other.get(axis)]
            raise InputError(
                f"{path}: expected one plane for each channel and Z, found several that differ in "
                f"{', '.join(differ) or 'nothing'} (tiles, views or times: fuse them in ZEN, or "
                "save one)"
            )
        if (entry.shape, entry.axes, entry.dtype) != common:
            raise InputError(
                f"{path}: expected planes of {common[0]} {common[2]}, found {entry.shape} "
                f"{entry.dtype}"
            )
        if np.prod(entry.shape) != np.prod([entry.shape[entry.axes.index(a)] for a in "YX"]):
            raise InputError(f"{path}: expected grey planes, found {entry.shape} {entry.axes}")
        blocks[key] = entry
    return blocks


def _unpacked(
    content: bytes, compression: int, shape: tuple[int, ...], dtype: np.dtype
) -> np.ndarray:
    """A plane from a zstd stream; its bytes may be sorted into low ones and high ones."""
    content = bytes(content)
    size, sorted_bytes = int(np.prod(shape)) * dtype.itemsize, False
    if compression == ZSTD_WITH_HEADER:
        length = content[0]
        sorted_bytes = length > 1 and content[1] == HIGH_AND_LOW_BYTES and content[2] & 1 == 1
        content = content[length:]
    unpacked = np.frombuffer(imagecodecs.zstd_decode(content, out=size), np.uint8)
    if sorted_bytes:
        unpacked = unpacked.reshape(2, -1).T.copy()
    return unpacked.reshape(-1).view(dtype).reshape(shape)


def _geometry(about: ElementTree.Element) -> Geometry | None:
    """Lengths of a voxel, which CZI states in metres."""
    lengths = {
        distance.get("Id"): distance.findtext("Value")
        for distance in about.iterfind(".//Scaling/Items/Distance")
    }
    if not all(lengths.get(axis) for axis in "XYZ"):
        return None
    spacing = tuple(float(lengths[axis]) * METRE_UM for axis in "XYZ")
    return Geometry(spacing, unit_um=1.0) if min(spacing) > 0 else None


def _names(about: ElementTree.Element) -> tuple[str, ...]:
    channels = about.findall(".//Information/Image/Dimensions/Channels/Channel")
    return tuple(channel.get("Name") or "" for channel in channels)


FORMAT = Format((".czi",), open_czi)
