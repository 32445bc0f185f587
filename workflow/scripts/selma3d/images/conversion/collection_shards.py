"""Shards of a collection: so many patches in a row as fit into memory, in a file of their own.

A shard's file appears whole, and says of which collection it is and which patches it holds. A
conversion that is killed therefore repeats at most the shard it was at.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ...system.atomic import publish
from ...system.errors import InputError
from .. import block_statistics
from ..collection_file import patch_chunk
from ..hdf5_checks import attribute
from ..hdf5_writing import writing_hdf5
from ..intensity import without_padding
from ..storage import VoxelSize, compression, open_hdf5, stored_here, voxel_size_of
from .patch_streams import FoundPatch
from .stored_values import whole_numbers

SHARD_BYTES = 128 << 20  # of voxels
_LINE = "\n"

GreyValues = tuple[np.ndarray, np.ndarray]  # values int32, and their numbers of voxels int64


@dataclass(frozen=True)
class MeasuredPatch:
    """A patch with all that is computed from it.

    image: (C,Z,Y,X) uint8 or uint16. occupancy: float32 (C,z,y,x,2), mean and 99th percentile of
    each block. details: (C,blocks,2), noise and texture of the blocks that are not padding.
    counts: grey values that are there and their numbers of voxels, by channel, without padding.
    """

    path: str
    volume: str
    image: np.ndarray
    occupancy: np.ndarray
    details: np.ndarray
    counts: list[GreyValues]
    voxel_size_um: VoxelSize | None


def measured(found: FoundPatch) -> MeasuredPatch:
    """Read and measure a patch. Raises InputError.

    Planes of zeros at its faces are padding: they count for no constant and are no tissue.
    """
    stored, voxel_size_um = found.read()
    image = whole_numbers(stored, Path(found.shown))
    if image.dtype == np.float32:
        raise InputError(
            f"{found.shown}: expected whole grey values up to 65535, found {stored.dtype} "
            f"values {image.min():g} to {image.max():g} (save the patches with 16 bits)"
        )
    occupancy, details, counts = zip(*(_measured(channel) for channel in image), strict=True)
    return MeasuredPatch(
        found.path,
        found.volume,
        image,
        np.stack(occupancy),
        np.stack(details),
        list(counts),
        voxel_size_um,
    )


def _measured(channel: np.ndarray) -> tuple[np.ndarray, np.ndarray, GreyValues]:
    statistics, counts = block_statistics(channel)
    inside = without_padding(channel)
    details = statistics[..., 2:].reshape(-1, 2)
    if inside.size < channel.size:
        of_inside, counts = block_statistics(inside) if inside.size else (statistics, counts * 0)
        of_inside = of_inside[..., 2:].reshape(-1, 2)
        details = np.full_like(details, np.nan)
        details[: len(of_inside)] = of_inside
    values = np.flatnonzero(counts)  # all 65,536 would be larger than a small patch
    return statistics[..., :2], details, (values.astype(np.int32), counts[values])


@dataclass(frozen=True)
class Shard:
    """Patches [start, stop) of a collection; `path` is the shard's file in the work folder.

    volumes: names of their source volumes. stacks: for each source volume, shape and type in it,
    the number of patches.
    """

    path: Path
    start: int
    stop: int
    stacks: dict[StackKey, int]
    skipped: tuple[str, ...] = ()
    voxel_size_um: VoxelSize | None = None


@dataclass(frozen=True, order=True)
class StackKey:
    """What the patches of a stack share: source volume, shape (C,Z,Y,X) and type."""

    volume: str
    shape: tuple[int, ...]
    dtype: str


def write_shard(
    folder: Path,
    start: int,
    stop: int,
    patches: Sequence[MeasuredPatch],
    skipped: Sequence[str],
) -> Shard:
    """Write a shard; skipped: unreadable patches among [start, stop)."""
    path = folder / f"{start:08d}.h5"
    stacks: dict[StackKey, list[MeasuredPatch]] = defaultdict(list)
    for patch in patches:
        key = StackKey(patch.volume, patch.image.shape, patch.image.dtype.name)
        stacks[key].append(patch)
    size = next((p.voxel_size_um for p in patches if p.voxel_size_um is not None), None)
    with publish(path) as temporary, writing_hdf5(temporary) as file:
        file.attrs["collection"] = path.parent.name
        file.attrs["patches"] = start, stop
        file["skipped"] = np.frombuffer(json.dumps(skipped).encode(), np.uint8)
        if size is not None:
            file.attrs["voxel_size_um"] = size
        node = file.create_group("stacks")
        for number, (key, members) in enumerate(stacks.items()):
            group = node.create_group(str(number))
            group.attrs["volume"] = key.volume
            _write_stack(group, members)
    return Shard(path, start, stop, {k: len(v) for k, v in stacks.items()}, tuple(skipped), size)


def _write_stack(group: h5py.Group, patches: Sequence[MeasuredPatch]) -> None:
    shape = patches[0].image.shape
    image = group.create_dataset(
        "image",
        (len(patches), *shape),
        patches[0].image.dtype,
        chunks=patch_chunk(shape),
        **compression(),
    )
    for number, patch in enumerate(patches):
        image[number] = patch.image
    group["occupancy"] = np.stack([patch.occupancy for patch in patches])
    group["details"] = np.stack([patch.details for patch in patches]).astype(np.float32)
    digests = b"".join(hashlib.sha256(patch.image.tobytes()).digest() for patch in patches)
    group["digests"] = np.frombuffer(digests, np.uint8).reshape(-1, 32)
    names = _LINE.join(patch.path for patch in patches).encode()
    group["names"] = np.frombuffer(names, np.uint8)
    for channel in range(shape[0]):
        total = np.zeros(np.iinfo(np.uint16).max + 1, np.int64)
        for patch in patches:
            values, numbers = patch.counts[channel]
            total[values] += numbers
        values = np.flatnonzero(total)
        group[f"values{channel}"] = values.astype(np.int32)
        group[f"counts{channel}"] = total[values]


def finished_shards(folder: Path) -> list[Shard]:
    """The shards that an earlier run has finished, without a gap from the first patch on.

    Each is opened once with all checks; from here on they are files of this process.
    """
    shards: list[Shard] = []
    for path in sorted(folder.glob("[0-9]*.h5")):
        try:
            shard = _stored_shard(path)
        except (InputError, OSError, ValueError, KeyError, TypeError):
            break
        if shard.start != (shards[-1].stop if shards else 0):
            break
        shards.append(shard)
    return shards


def _stored_shard(path: Path) -> Shard:
    with open_hdf5(path) as file:
        if attribute(file, "collection") != path.parent.name:
            raise InputError(f"{path}: expected a shard of this collection, found another file")
        start, stop = map(int, attribute(file, "patches"))
        stacks = {}
        for number in range(len(file["stacks"])):
            group = file[f"stacks/{number}"]
            patches, *shape = group["image"].shape
            volume = str(attribute(group, "volume"))
            stacks[StackKey(volume, tuple(shape), group["image"].dtype.name)] = patches
        skipped = json.loads(file["skipped"][()].tobytes())
        return Shard(path, start, stop, stacks, tuple(skipped), voxel_size_of(file))


@dataclass(frozen=True)
class StackContent:
    """Everything of a shard's stack but its chunks; names are bytes, a line a patch."""

    occupancy: np.ndarray
    details: np.ndarray
    digests: bytes
    names: bytes
    counts: list[GreyValues]  # by channel


def read_stack(shard: Shard, key: StackKey) -> StackContent:
    """What a shard holds of a stack."""
    with open_hdf5(shard.path, searched=False) as file:
        group = file[f"stacks/{list(shard.stacks).index(key)}"]
        return StackContent(
            group["occupancy"][()],
            group["details"][()],
            group["digests"][()].tobytes(),
            group["names"][()].tobytes(),
            [(group[f"values{c}"][()], group[f"counts{c}"][()]) for c in range(key.shape[0])],
        )


def copy_stack(shard: Shard, key: StackKey, image: h5py.Dataset, row: int) -> None:
    """Copy the compressed chunks of a shard's stack, as they are, to `image` from `row` on."""
    with open_hdf5(shard.path, searched=False) as file:
        group = file[f"stacks/{list(shard.stacks).index(key)}"]
        source = stored_here(group["image"], shard.path).id
        for number in range(source.get_num_chunks()):
            patch, *inside = source.get_chunk_info(number).chunk_offset
            filters, content = source.read_direct_chunk((patch, *inside))
            image.id.write_direct_chunk((row + patch, *inside), content, filters)
