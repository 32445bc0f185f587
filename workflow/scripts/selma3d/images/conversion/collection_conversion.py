"""Many unannotated patches -> one chunked HDF5, with constants by source volume, resumably."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import h5py
import numpy as np

from ...archive.archive_folder import require_room
from ...archive.progress import amount
from ...system.atomic import remove_leftovers
from ...system.errors import InputError
from ...system.file_lock import alone_in
from .. import IndexRow, Intensity, air_threshold
from ..collection_file import KIND, BlockChances, patch_chunk, write_collection_index
from ..geometry import OTHER_GEOMETRY
from ..hdf5_writing import new_file
from ..storage import VoxelSize, compression, describe
from ..voxel_sizes import counting_voxel_size
from .collection_shards import (
    SHARD_BYTES,
    MeasuredPatch,
    Shard,
    StackContent,
    StackKey,
    copy_stack,
    finished_shards,
    measured,
    read_stack,
    write_shard,
)
from .patch_streams import FoundPatch, PatchStream

log = logging.getLogger(__name__)

UNREADABLE = "unreadable-patches"  # the name under which they are allowed
AHEAD = 2  # patches a thread that wait to be read or written


@dataclass(frozen=True)
class CollectionSettings:
    """Settings of the conversion of a collection.

    allow: `unreadable-patches` leaves out, and records, patches that do not read; `other-geometry`
    as for volumes. specimen: of all patches; empty: each source volume is one.
    row_voxel_size_um, voxel_size_um (z,y,x): what the row and the edition state.
    """

    threads: int = 2
    allow: Collection[str] = ()
    specimen: str = ""
    row_voxel_size_um: VoxelSize | None = None
    voxel_size_um: VoxelSize | None = None
    shard_bytes: int = SHARD_BYTES


DEFAULT = CollectionSettings()


def convert_collection(
    stream: PatchStream,
    h5: Path,
    tsv: Path,
    work: Path,
    *,
    sample: str,
    settings: CollectionSettings = DEFAULT,
) -> None:
    """Convert the patches of `stream` to `h5` and its table `tsv`, shard by shard, resumably.

    Finished shards wait in `work`, a folder of this collection alone, and go at the end. Memory
    does not grow with the number of patches. Raises InputError for what is wrong with a patch or
    a tar, for too little disk space, and where another conversion is at work in `work`.
    """
    h5, tsv, work = Path(h5), Path(tsv), Path(work)
    with alone_in(work, "conversion of this collection"):
        folder = work / f"shards-{stream.fingerprint()}"
        for other in work.glob("shards-*"):
            if other != folder:
                shutil.rmtree(other)
        folder.mkdir(exist_ok=True)
        for target in (h5, tsv):
            remove_leftovers(target, alone=True)
        shards = finished_shards(folder)
        done = shards[-1].stop if shards else 0
        log.info(
            "%s: from %s of files; room for at most about three times as much is needed at %s%s",
            sample,
            amount(stream.bytes()),
            h5.parent,
            f"; {done} patches are done" if done else "",
        )
        shards += _convert(stream, folder, sample, done, settings)
        _assemble(shards, h5, tsv, sample, settings)
        shutil.rmtree(folder)


def _convert(
    stream: PatchStream, folder: Path, sample: str, done: int, settings: CollectionSettings
) -> Iterator[Shard]:
    """Write the shards of all patches from `done` on."""
    sizes = _CommonVoxelSize(settings)
    with tempfile.TemporaryDirectory() as temporary:
        held: list[MeasuredPatch] = []
        skipped: list[str] = []
        start, stop, size, written = done, done, 0, 0
        for found, patch in _measured(stream.patches(done, Path(temporary)), settings):
            stop += 1
            if patch is None:
                skipped.append(found.path)
            else:
                sizes.add(found.shown, patch.voxel_size_um)
                held.append(patch)
                size += patch.image.nbytes
            if size >= settings.shard_bytes:
                # All shards, and then the collection beside them.
                require_room(sample, 2 * size + written, folder, 0)
                shard = write_shard(folder, start, stop, held, skipped)
                written += shard.path.stat().st_size
                log.info("%s: %d patches done", sample, stop)
                yield shard
                held, skipped, start, size = [], [], stop, 0
        if stop > start:
            yield write_shard(folder, start, stop, held, skipped)


def _measured(
    patches: Iterator[FoundPatch], settings: CollectionSettings
) -> Iterator[tuple[FoundPatch, MeasuredPatch | None]]:
    """Patches in their order, read in threads; None for one that does not read and is allowed."""
    waiting: deque[tuple[FoundPatch, Future[MeasuredPatch]]] = deque()

    def first() -> tuple[FoundPatch, MeasuredPatch | None]:
        found, reading = waiting.popleft()
        try:
            return found, reading.result()
        except InputError as error:
            if UNREADABLE not in settings.allow:
                raise InputError(
                    f"{error} (bring the file again; to leave such patches out, allow "
                    f"{UNREADABLE!r})"
                ) from error
            log.warning("%s: left out: %s", found.path, error)
            return found, None

    with ThreadPoolExecutor(settings.threads) as pool:
        try:
            for found in patches:
                waiting.append((found, pool.submit(_read, found)))
                if len(waiting) > AHEAD * settings.threads:
                    yield first()
            while waiting:
                yield first()
        finally:
            for _, reading in waiting:
                reading.cancel()


def _read(found: FoundPatch) -> MeasuredPatch:
    try:
        return measured(found)
    finally:
        found.discard()


def _assemble(
    shards: Sequence[Shard], h5: Path, tsv: Path, sample: str, settings: CollectionSettings
) -> None:
    keys = sorted({key for shard in shards for key in shard.stacks})
    if not keys:
        raise InputError(f"{sample}: expected patches that can be read, found none")
    volumes = {key.volume: [] for key in keys}
    for key in keys:
        volumes[key.volume].append(key)
    sizes = _CommonVoxelSize(settings)
    for shard in shards:
        sizes.add(str(shard.path), shard.voxel_size_um)
    size = sizes.of_all
    total = hashlib.sha256()
    rows, patches = [], []
    number = count()
    with new_file(h5, KIND) as file:
        if size is not None:
            file.attrs["voxel_size_um"] = np.asarray(size, dtype=np.float64)
        for place, (volume, of_volume) in enumerate(volumes.items()):
            if len({key.shape[0] for key in of_volume}) > 1:
                raise InputError(
                    f"{sample}: {volume}: expected patches of one number of channels, found "
                    f"{sorted({key.shape[0] for key in of_volume})} (make two collections of them)"
                )
            contents = {key: _contents(shards, key) for key in of_volume}
            intensity, chances = _constants(contents)
            specimen = settings.specimen or volume
            node = file.create_group(f"volumes/{place}")
            node.attrs["name"] = volume
            describe(node, specimen, size, intensity)
            node.attrs["blocks"] = [list(vars(each).values()) for each in chances]
            digest = hashlib.sha256()
            for key, found in contents.items():
                group = file.create_group(f"stacks/{next(number)}")
                group.attrs["volume"] = place
                _write_stack(group, key, shards, found, chances)
                digest.update(f"{key.dtype} {key.shape}".encode())
                for content in found:
                    digest.update(content.digests + content.names)
            total.update(digest.digest())
            there = sum(len(content.occupancy) for found in contents.values() for content in found)
            shape = of_volume[0].shape
            row = IndexRow.of(volume, specimen, shape, size, intensity, None, digest.hexdigest())
            rows.append(row)
            patches.append(there)
        file.attrs["sha256"] = total.hexdigest()
        left_out = [path for shard in shards for path in shard.skipped]
        file.attrs["left_out"] = len(left_out)
        if left_out:
            names = json.dumps(left_out).encode()
            file["left_out_names"] = np.frombuffer(names, np.uint8)
    write_collection_index(rows, patches, tsv)
    log.info("%s: %d patches of %d source volumes", sample, sum(patches), len(volumes))


class _CommonVoxelSize:
    """The voxel size that the headers of all patches state, or that is stated beside them."""

    def __init__(self, settings: CollectionSettings) -> None:
        self._settings = settings
        self._header: VoxelSize | None = None
        self.of_all = settings.row_voxel_size_um or settings.voxel_size_um

    def add(self, shown: str, header: VoxelSize | None) -> None:
        """InputError where the header contradicts another one's, or what is stated."""
        of_row, of_structure = self._settings.row_voxel_size_um, self._settings.voxel_size_um
        self.of_all = counting_voxel_size(
            Path(shown), header or self._header, of_row, of_structure, self._settings.allow
        )
        if header is None:
            return
        first = self._header = self._header or header
        if OTHER_GEOMETRY not in self._settings.allow and not np.allclose(first, header, rtol=1e-3):
            raise InputError(
                f"{shown}: expected voxels of {first} µm (z,y,x) as in the collection's first "
                f"patch, found {header} (make two collections, or, if headers are wrong, state "
                f"a size in the samples table and allow {OTHER_GEOMETRY!r})"
            )


def _contents(shards: Sequence[Shard], key: StackKey) -> list[StackContent]:
    return [read_stack(shard, key) for shard in shards if key in shard.stacks]


def _constants(
    contents: dict[StackKey, list[StackContent]],
) -> tuple[list[Intensity], list[BlockChances]]:
    """Intensity constants, and what chances depend on, of each channel of a source volume."""
    channels = next(iter(contents)).shape[0]
    every = [content for found in contents.values() for content in found]
    intensity, chances = [], []
    for channel in range(channels):
        counts = np.zeros(np.iinfo(np.uint16).max + 1, np.int64)
        for content in every:
            values, numbers = content.counts[channel]
            counts[values] += numbers
        if not counts.any():
            counts[0] = 1  # nothing but padding
        details = np.concatenate([c.details[:, channel].reshape(-1, 2) for c in every])
        intensity.append(Intensity.from_counts(counts, details))
        blocks = np.concatenate([c.occupancy[:, channel].reshape(-1, 2) for c in every])
        blocks = blocks[blocks[:, 1] > 0]
        chances.append(_block_chances(blocks))
    return intensity, chances


def _block_chances(blocks: np.ndarray) -> BlockChances:
    """blocks: (n,2), mean and 99th percentile of a source volume's blocks without padding."""
    if not len(blocks):
        return BlockChances(-np.inf, 0.0, 0.0, 0.0)
    air = air_threshold(blocks[:, 0])
    bright = blocks[blocks[:, 0] > air, 1]
    middle = float(np.median(bright)) if len(bright) else 0.0
    above = float(np.maximum(bright - middle, 0).sum(dtype=np.float64))
    return BlockChances(air, middle, float(len(bright)), above)


def _write_stack(
    group: h5py.Group,
    key: StackKey,
    shards: Sequence[Shard],
    contents: Sequence[StackContent],
    chances: Sequence[BlockChances],
) -> None:
    occupancy = np.concatenate([content.occupancy for content in contents])
    image = group.create_dataset(
        "image",
        (len(occupancy), *key.shape),
        key.dtype,
        chunks=patch_chunk(key.shape),
        **compression(),
    )
    row = 0
    for shard in shards:
        if key in shard.stacks:
            copy_stack(shard, key, image, row)
            row += shard.stacks[key]
    group.create_dataset("occupancy", data=occupancy, chunks=(1, *occupancy.shape[1:]))
    of_patches = np.zeros((*occupancy.shape[:2], 2), np.float32)
    for channel, chance in enumerate(chances):
        tissue, above = chance.parts(occupancy[:, channel])
        of_patches[:, channel, 0] = tissue.sum(axis=(1, 2, 3))
        of_patches[:, channel, 1] = above.sum(axis=(1, 2, 3))
    group["chances"] = of_patches
    names = b"\n".join(content.names for content in contents)
    group["names"] = np.frombuffer(names, np.uint8)
