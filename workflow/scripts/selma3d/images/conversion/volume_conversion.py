"""An unannotated volume, a plane a file or one large TIFF, -> one chunked HDF5, in one pass."""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ...archive.archive_folder import require_room
from ...archive.progress import amount, duration
from ...system.atomic import remove_leftovers
from ...system.errors import InputError
from ...system.file_lock import alone_in
from ...system.fingerprint import PATTERN
from .. import IndexRow, Intensity, chunk_shape, content_hash, write_index
from ..geometry import OTHER_GEOMETRY, SPACING_TOLERANCE, on_grid
from ..hdf5_writing import new_file
from ..readers import ImageFile, fingerprint, open_image
from ..readers.formats.plane_folder import PlaneFolder
from ..storage import VoxelSize, compression
from ..volume_file import describe_volume
from ..voxel_sizes import counting_voxel_size
from .channel_order import channel_order
from .patch_sources import inside
from .plane_checks import MISSING_PLANES, Planes, plane_faults
from .slabs import (
    Channel,
    Slab,
    SlabContent,
    convert_slab,
    copy_chunks,
    cut,
    read_plane,
    read_slab,
)

log = logging.getLogger(__name__)

SATURATED = 0.01  # of a channel's voxels that have its largest value
LARGEST_GAP = 4  # a larger step of planes is that of a stage, where nothing tells otherwise
STAGE_UNITS_UM = (1.0, 0.1, 0.01, 0.001)
CHANNEL_FOLDER = re.compile(r"C\d{2}")


@dataclass(frozen=True)
class VolumeSettings:
    """Settings of the conversion of a volume.

    allow: `missing-planes` accepts fewer or more than the planes' metadata state, channels whose
    planes have other numbers, and planes that stand there twice. bad_plane: `error` or
    `interpolate`: a lone unreadable plane becomes the mean of its neighbours, which the file
    records. row_voxel_size_um (z,y,x), row_channel (number or name): what the image's row of the
    samples table states. channel: that networks see of the structure.
    """

    threads: int = 2
    bad_plane: str = "error"
    allow: Collection[str] = ()
    row_voxel_size_um: VoxelSize | None = None
    row_channel: str = ""
    channel: int = 0


DEFAULT = VolumeSettings()


def convert_volume(
    channel_sources: Sequence[Path],
    h5: Path,
    tsv: Path,
    work: Path,
    *,
    specimen: str,
    sample: str,
    voxel_size_um: VoxelSize | None,
    settings: VolumeSettings = DEFAULT,
) -> None:
    """Convert one volume to `h5` (C,Z,Y,X) and its index `tsv`, slab by slab, resumably.

    `channel_sources` is a folder of planes or a TIFF for each channel, or one TIFF with all.
    Finished slabs wait in `work`, a folder of this volume alone, and go at the end. Memory does
    not grow with depth. Intensity constants, occupancy map and content hash come from the same
    pass.
    Raises InputError for anything wrong with the planes, nearly all of it before the first slab,
    for too little disk space, and where another conversion is at work in `work`.
    """
    h5, work, interpolate = Path(h5), Path(work), settings.bad_plane == "interpolate"
    images = open_channels(channel_sources, accept_unreadable=interpolate)
    _check_planes(images, MISSING_PLANES in settings.allow)
    size = _voxel_size(images, voxel_size_um, settings)
    _check_steps(images, size, MISSING_PLANES in settings.allow)
    channels = [Channel(image, number) for image in images for number in range(image.shape[0])]
    names = [n for image in images for n in image.channel_names or ("",) * image.shape[0]]
    order = channel_order(settings.row_channel, settings.channel, names, images[0].path)
    channels = [channels[number] for number in order]
    shape = (len(channels), *channels[0].shape)
    dtype = np.dtype(np.uint8 if all(i.dtype == np.uint8 for i in images) else np.uint16)
    with alone_in(work, "conversion of this volume"):
        folder = (
            work / f"slabs-{fingerprint(images)}-{settings.bad_plane}-{'.'.join(map(str, order))}"
        )
        _keep_only(folder, work)
        for target in (h5, tsv):
            remove_leftovers(target, alone=True)
        slabs = cut(shape, folder)
        waiting = [slab for slab in slabs if not slab.is_done()]
        _check_disk_space(shape, dtype, len(waiting) / len(slabs), work, h5.parent)
        begin = time.monotonic()
        for number, slab in enumerate(waiting, start=1):
            log.info("%s: converting slab %s", sample, slab.path.stem)
            convert_slab(
                slab,
                channels[slab.channel],
                dtype,
                interpolate=interpolate,
                threads=settings.threads,
            )
            left = len(waiting) - number
            left_s = (time.monotonic() - begin) / number * left
            done = f"{len(slabs) - left} of {len(slabs)} slabs"
            log.info("%s: %s, about %s left", sample, done, duration(left_s))
        for image in images:
            image.check_unchanged()
        source = {
            "sources": [str(p) for p in channel_sources],
            "fingerprint": fingerprint(images),
            "plane_numbers": [_numbers_text(i) for i in images if isinstance(i, PlaneFolder)],
        }
        converted = [(slab, read_slab(slab)) for slab in slabs]
        _check_content(converted, channels, dtype, settings)
        row = _assemble(converted, shape, dtype, h5, sample, specimen, size, source)
        write_index([row], tsv)
        shutil.rmtree(folder)


def channel_sources(
    archive_root: Path, names: Sequence[str], *, links: Sequence[Path] = ()
) -> list[Path]:
    """The places of a volume's channels, in order: those named, or the folders C00, C01, … of one.

    names: files, folders, or patterns of planes in the archive. links: further folders that links
    in it may lead to. A volume of which only C01 was published has one channel, and that is its
    channel 0. Raises InputError if there is nothing, or if it lies outside the archive.
    """
    roots = (archive_root, *links)
    places = [inside(roots, archive_root / name) for name in names]
    for place in places:
        if PATTERN in place.name:
            for file in place.parent.glob(place.name):
                inside(roots, file)
        elif not place.exists():
            raise InputError(
                f"{place}: expected an image file or a folder of planes, found nothing"
            )
    if len(places) != 1 or not places[0].is_dir():
        return places
    channels = sorted(c for c in places[0].iterdir() if CHANNEL_FOLDER.fullmatch(c.name))
    return [inside(roots, channel) for channel in channels] or places


def open_channels(sources: Sequence[Path], *, accept_unreadable: bool) -> list[ImageFile]:
    """The images of a volume, of one channel or more each and of one shape. Raises InputError."""
    if not sources:
        raise InputError("volume: expected an image a channel, or one with all, found none")
    images = [open_image(Path(s), accept_unreadable=accept_unreadable) for s in sources]
    for image in images:
        image.check_promise()
        if image.shape[1:] != images[0].shape[1:]:
            raise InputError(
                f"{image.path}: expected shape (Z,Y,X) {images[0].shape[1:]} like channel "
                f"{images[0].path}, found {image.shape[1:]}"
            )
    return images


def _voxel_size(
    images: Sequence[ImageFile], structure: VoxelSize | None, settings: VolumeSettings
) -> VoxelSize | None:
    """Of all channels; InputError where two differ, in their headers or from what is stated."""
    if OTHER_GEOMETRY not in settings.allow:
        for image in images[1:]:
            _check_same_grid(image, images[0])
    for image in images:
        if image.voxel_size_um is None:
            # A size that cannot be is worth a look, one that is not stated is usual.
            level = logging.INFO if image.geometry is None else logging.WARNING
            log.log(level, "%s: voxel size unknown: %s", image.path, image.why_no_voxel_size)
    return counting_voxel_size(
        images[0].path,
        images[0].voxel_size_um,
        settings.row_voxel_size_um,
        structure,
        settings.allow,
    )


def _check_same_grid(image: ImageFile, first: ImageFile) -> None:
    """Raise InputError where the headers of two channels disagree."""
    shape = image.shape[1:]
    number = np.broadcast_to(np.arange(shape[-1]), shape)  # nothing is allocated
    turned = on_grid(number, image.geometry, first.geometry, image.path, first.path)
    if turned is not number:
        raise InputError(
            f"{image.path}: expected axes that run as those of {first.path.name}, found reversed "
            "ones (save both on one grid)"
        )


def _check_planes(images: Sequence[ImageFile], missing_allowed: bool) -> None:
    """Raise InputError where planes are missing at the ends, or channels are shifted."""
    faults = []
    folders = [image for image in images if isinstance(image, PlaneFolder)]
    for stack in folders:
        if stack.planned not in (None, stack.shape[1]):
            faults.append(
                f"{stack.path}: expected {stack.planned} planes as their metadata state (SizeZ), "
                f"found {stack.shape[1]}, {_numbers_text(stack)}"
            )
        if stack.numbers != folders[0].numbers:
            faults.append(
                f"{stack.path}: expected planes {_numbers_text(folders[0])} as in channel "
                f"{folders[0].path}, found {_numbers_text(stack)}"
            )
        if stack.numbers.step != 1 or stack.numbers.start not in (0, 1):
            log.warning("%s: planes %s", stack.path, _numbers_text(stack))
    _refuse_unless_allowed(faults, missing_allowed)


def _check_steps(
    images: Sequence[ImageFile], voxel_size_um: VoxelSize | None, missing_allowed: bool
) -> None:
    """Raise InputError where numbers of planes have a step that no distance of planes explains.

    Stages number planes by their place, in µm or a decimal fraction of it; else every second
    plane, or more, is missing.
    """
    faults = []
    for stack in images:
        if not isinstance(stack, PlaneFolder) or stack.planned == stack.shape[1]:
            continue
        step = stack.numbers.step
        depth = None if voxel_size_um is None else voxel_size_um[0]
        if depth is None:
            is_explained = step == 1 or step > LARGEST_GAP
        else:
            places = [1, *(depth / unit for unit in STAGE_UNITS_UM)]
            is_explained = any(abs(step - place) <= SPACING_TOLERANCE * place for place in places)
        if not is_explained:
            stated = "with no voxel size stated" if depth is None else f"{depth:g} µm apart"
            faults.append(
                f"{stack.path}: expected planes in steps of 1, or of their distance, found "
                f"{_numbers_text(stack)}, {stated}"
            )
    _refuse_unless_allowed(faults, missing_allowed)


def _refuse_unless_allowed(faults: Sequence[str], missing_allowed: bool) -> None:
    for fault in faults:
        if not missing_allowed:
            raise InputError(
                f"{fault} (copy what is missing; if it was never taken, allow {MISSING_PLANES!r})"
            )
        log.warning("%s: allowed", fault)


def _check_content(
    slabs: Sequence[tuple[Slab, SlabContent]],
    channels: Sequence[Channel],
    dtype: np.dtype,
    settings: VolumeSettings,
) -> None:
    """Raise InputError, unless allowed, for planes, channels or parts that are not there.

    A plane or channel stands in place of another, is empty among others, or parts are absent.
    """
    faults = []
    planes = []
    for number, channel in enumerate(channels):
        own = [each for each in slabs if each[0].channel == number]
        counts = sum(content.counts for _, content in own)
        zeros, largest = int(counts[0]), int(np.flatnonzero(counts)[-1])
        share = counts[largest] / counts.sum()
        if SATURATED <= share < 1:
            log.warning(
                "%s: channel %d: %.1f %% of its voxels have its largest value, %d: saturated, and "
                "brightness says nothing there",
                *(channel.image.path, channel.number, 100 * share, largest),
            )
        absent = channel.image.absent_voxels(channel.number) if zeros else 0
        if absent >= zeros > 0:
            faults.append(
                f"{channel.image.path}: channel {channel.number}: expected all its parts, found "
                f"{absent} voxels without data, and no other one is 0"
            )
        planes.append(
            Planes(
                digests=[digest for _, content in own for digest in content.planes],
                shape=channel.shape[1:],
                dtype=dtype,
                name=partial(channel.image.plane_name, channel.number),
                plane=partial(read_plane, [slab for slab, _ in own]),
            )
        )
    _refuse_unless_allowed([*faults, *plane_faults(planes)], MISSING_PLANES in settings.allow)


def _numbers_text(stack: PlaneFolder) -> str:
    numbers = stack.numbers
    return f"{numbers[0]} to {numbers[-1]} in steps of {numbers.step}"


def _assemble(
    slabs: Sequence[tuple[Slab, SlabContent]],
    shape: tuple[int, ...],
    dtype: np.dtype,
    h5: Path,
    sample: str,
    specimen: str,
    voxel_size_um: VoxelSize | None,
    source: dict[str, str | list[str]],
) -> IndexRow:
    contents = [content for _, content in slabs]
    planes = (digest for content in contents for digest in content.planes)
    sha256 = content_hash(shape, dtype, planes)
    of_channel = [
        [content for slab, content in slabs if slab.channel == channel]
        for channel in range(shape[0])
    ]
    occupancy = np.stack([np.concatenate([c.occupancy for c in channel]) for channel in of_channel])
    intensity = [
        Intensity.from_counts(sum(c.counts for c in channel), blocks[..., 2:])
        for channel, blocks in zip(of_channel, occupancy, strict=True)
    ]
    interpolated = [record for content in contents for record in content.interpolated]
    for record in interpolated:
        log.warning("%s: plane %s interpolated: %s", sample, record["z"], record["reason"])
    with new_file(h5, "volume") as file:
        image = file.create_dataset(
            "image", shape, dtype, chunks=chunk_shape(shape), **compression()
        )
        for slab, _ in slabs:
            copy_chunks(slab, image)
        describe_volume(file, specimen, voxel_size_um, intensity, occupancy, sha256)
        file.attrs["source"] = json.dumps(source)
        file.attrs["interpolated_planes"] = json.dumps(interpolated)
    return IndexRow.of(sample, specimen, shape, voxel_size_um, intensity, None, sha256)


def _check_disk_space(
    shape: tuple[int, ...], dtype: np.dtype, share_waiting: float, work: Path, target: Path
) -> None:
    """Slabs and final file exist side by side; neither is larger than the raw voxels."""
    raw = int(np.prod(shape)) * dtype.itemsize
    target.mkdir(parents=True, exist_ok=True)
    needs = {work: int(raw * share_waiting), target: raw}
    if work.stat().st_dev == target.stat().st_dev:
        needs = {target: sum(needs.values())}
    for folder, need in needs.items():
        log.info("%s: up to %s needed", folder, amount(need))
        require_room("expected room for slabs and final file, uncompressed", need, folder, 0)


def _keep_only(folder: Path, work: Path) -> None:
    for other in work.glob("slabs-*"):
        if other != folder:
            log.info("%s: slabs of other planes or settings, removed", other)
            shutil.rmtree(other)
    folder.mkdir(exist_ok=True)
