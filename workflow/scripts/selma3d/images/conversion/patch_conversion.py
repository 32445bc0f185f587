"""Annotated patches and test cases of one structure -> one HDF5 file and its index."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd

from ...challenge.samples import Sample
from ...system.errors import InputError
from ...system.limits import SPARE_VOXELS
from .. import PatchFile, PatchWriter
from ..geometry import OTHER_GEOMETRY, Geometry, on_grid
from ..readers import StoredImage, read_image
from ..storage import VoxelSize
from ..voxel_sizes import counting_voxel_size
from .channel_order import channel_order
from .mask_orientation import OTHER_ORIENTATION, check_orientation
from .patch_sources import PatchSource, find_patches
from .plane_checks import MISSING_PLANES, Planes, plane_faults
from .stored_values import FULL_MASK, mask_of_labels, whole_numbers

log = logging.getLogger(__name__)

EMPTY_MASK, CONSTANT_IMAGE = "empty-mask", "constant-image"
MOST_FOREGROUND = 0.75  # more is a mask whose background is not 0
EXPECTED = {
    EMPTY_MASK: "expected some foreground, found an empty mask",
    FULL_MASK: "expected background, labelled 0, in a good part of the mask, found next to none",
    CONSTANT_IMAGE: "expected grey values that vary, found a constant channel",
}
MOST_LABELS = 32  # recorded by value; an instance mask has thousands


@dataclass(frozen=True)
class PatchSettings:
    """Settings of the conversion of annotated images.

    kind: `patches` (each needs a mask) or `cases` (a phase may hide all masks). voxel_size_um
    (z,y,x): of the structure, where no header and no row states one. allow: oddities that are
    accepted, and then recorded: empty-mask, full-mask, constant-image, ignore-label (a value 255
    beside others is foreground too), grey-mask, other-geometry (headers that disagree are passed
    over), other-orientation (see `mask_orientation`), missing-planes (see `plane_checks`).
    channel: that networks see of the structure. links: further folders that links in the archive
    may lead to.
    """

    kind: str = "patches"
    voxel_size_um: VoxelSize | None = None
    allow: Collection[str] = ()
    channel: int = 0
    links: tuple[Path, ...] = ()


DEFAULT = PatchSettings()


def convert_patches(
    archive_root: Path,
    folder: str | None,
    rows: Sequence[Sample],
    h5: Path,
    tsv: Path,
    *,
    structure: str,
    settings: PatchSettings = DEFAULT,
) -> None:
    """Convert every patch of `folder` below `archive_root` and of the rows that name files.

    `rows` are the structure's rows of the samples table (sample, specimen, image, mask, …); a
    row without an image only states the specimen of a patch that is found in the folder.
    Image, channels and mask lie on one grid: axes that the headers say are reversed are turned.
    Raises InputError for bad files and for oddities that the settings do not allow.
    """
    root = Path(archive_root)
    sources = find_patches(
        root,
        folder,
        rows,
        masks_required=settings.kind == "patches",
        links=settings.links,
    )
    channels: int | None = None
    with PatchWriter(h5, tsv, settings.kind) as writer:
        for number, source in enumerate(sources, start=1):
            log.info("%s: patch %s (%d of %d)", structure, source.id, number, len(sources))
            image, mask, header, provenance = _read_patch(source, root, settings)
            row = None if source.row is None else source.row.voxel_size_um
            size = counting_voxel_size(
                source.images[0], header, row, settings.voxel_size_um, settings.allow
            )
            channels = channels or len(image)
            if len(image) != channels:
                raise InputError(
                    f"{source.images[0]}: expected {channels} channels as in patch "
                    f"{sources[0].id}, found {len(image)}"
                )
            writer.add(source.id, image, mask, source.specimen, size, provenance)


def cases_from_split(patches_h5: Path, split: pd.DataFrame, h5: Path, tsv: Path) -> None:
    """Copy the test patches of a split to a file of cases, which states where they come from."""
    tests = sorted(split.loc[split["role"] == "test", "patch"].unique())
    if not tests:
        raise InputError(
            f"{patches_h5}: split: expected test patches to draw cases from, found none"
        )
    grouped_by = " and ".join(sorted(split["grouped_by"].unique()))
    statement = f"test patches of the training archive, split by {grouped_by}"
    with (
        PatchFile(patches_h5) as source,
        PatchWriter(h5, tsv, "cases", drawn_from_split=statement) as writer,
    ):
        for patch in tests:
            writer.copy(source, patch)


def _read_patch(
    source: PatchSource, root: Path, settings: PatchSettings
) -> tuple[np.ndarray, np.ndarray | None, VoxelSize | None, dict[str, str | int]]:
    """Image, mask, the voxel size that the header states, and where all that comes from."""
    allow = settings.allow
    stored = [read_image(path) for path in source.images]
    image, mask = _stack_channels(stored, source, allow), None
    if source.row is not None:
        names = [name for part in stored for name in part.channel_names]
        order = channel_order(source.row.channel, settings.channel, names, source.images[0])
        image = image if order == sorted(order) else image[order]
    _check_planes(image, source, allow)
    provenance = _image_provenance(stored, source, root)
    oddities: dict[str, Path] = {}
    if any(channel.min() == channel.max() for channel in image):
        oddities[CONSTANT_IMAGE] = source.images[0]
    if source.mask is not None:
        beside = None if OTHER_GEOMETRY in allow else stored[0].geometry
        mask, labels = _read_mask(source, beside, image.shape[1:], allow)
        provenance["source_mask"] = source.mask.relative_to(root).as_posix()
        provenance["source_mask_values"] = json.dumps(labels[:MOST_LABELS])
        provenance["source_mask_labels"] = len(labels)
        _check_is_no_mask(image, mask, source)
        if OTHER_ORIENTATION not in allow:
            check_orientation(image, mask, source.mask, source.images[0])
        if not mask.any():
            oddities[EMPTY_MASK] = source.mask
        elif mask.mean(dtype=np.float64) > MOST_FOREGROUND:
            oddities[FULL_MASK] = source.mask
    _check_allowed(oddities, allow)
    if oddities:
        provenance["allowed"] = ", ".join(oddities)
    return image, mask, stored[0].voxel_size_um, provenance


def _check_planes(image: np.ndarray, source: PatchSource, allow: Collection[str]) -> None:
    """Raise InputError for planes or channels in place of others, and for empty ones among them."""
    place = source.images[0]
    channels = [
        Planes.of(channel, lambda z, number=number: f"{place}, channel {number}, plane {z}")
        for number, channel in enumerate(image)
    ]
    for fault in plane_faults(channels):
        if MISSING_PLANES not in allow:
            raise InputError(f"{fault} (save the right one; or allow {MISSING_PLANES!r})")
        log.warning("%s: allowed", fault)


def _check_is_no_mask(image: np.ndarray, mask: np.ndarray, source: PatchSource) -> None:
    """Raise InputError where a channel is its own mask, which a network would learn to copy."""
    for channel in image:
        if mask.any() and channel.any() and np.array_equal(channel, mask * channel.max()):
            raise InputError(
                f"{source.images[0]}: expected grey values, found the mask "
                f"{source.mask.name} itself (name the image that was annotated)"
            )


def _check_allowed(oddities: dict[str, Path], allow: Collection[str]) -> None:
    for oddity, path in oddities.items():
        if oddity not in allow:
            raise InputError(
                f"{path}: {EXPECTED[oddity]} (look at it; to keep it, allow {oddity!r})"
            )
        log.warning("%s: %s, allowed", path, oddity)


def _stack_channels(
    stored: list[StoredImage], source: PatchSource, allow: Collection[str]
) -> np.ndarray:
    channels = [
        whole_numbers(image.array, path) for image, path in zip(stored, source.images, strict=True)
    ]
    for channel, path in zip(channels, source.images, strict=True):
        if channel.shape[1:] != channels[0].shape[1:]:
            raise InputError(
                f"{path}: expected shape (Z,Y,X) {channels[0].shape[1:]} as in "
                f"{source.images[0].name}, found {channel.shape[1:]}"
            )
    if len(channels) == 1:
        return channels[0]
    if OTHER_GEOMETRY not in allow:
        first, place = stored[0].geometry, source.images[0]
        channels = [
            on_grid(channel, image.geometry, first, path, place)
            for channel, image, path in zip(channels, stored, source.images, strict=True)
        ]
    return np.concatenate(channels)


def _read_mask(
    source: PatchSource, beside: Geometry | None, shape: tuple[int, ...], allow: Collection[str]
) -> tuple[np.ndarray, list[int]]:
    path = source.mask
    stored = read_image(path, max(SPARE_VOXELS, 4 * prod(shape)))
    array = stored.array
    if array.shape[0] != 1:
        raise InputError(f"{path}: expected one channel in a mask, found {array.shape[0]}")
    if array.shape[1:] != shape:
        raise InputError(
            f"{path}: expected shape (Z,Y,X) {shape} as the image, found {array.shape[1:]}"
        )
    array = on_grid(array, stored.geometry, beside, path, source.images[0])
    return mask_of_labels(array[0], path, allow)


def _image_provenance(
    stored: list[StoredImage], source: PatchSource, root: Path
) -> dict[str, str | int]:
    provenance: dict[str, str | int] = {
        "source_image": ", ".join(path.relative_to(root).as_posix() for path in source.images),
        "source_dtype": ", ".join(image.dtype for image in stored),
        "source_axes": ", ".join(image.axes for image in stored),
    }
    if stored[0].geometry is not None:
        provenance["source_geometry"] = json.dumps(stored[0].geometry.plain())
    if stored[0].voxel_size_um is not None:
        provenance["source_voxel_size_um"] = json.dumps(stored[0].voxel_size_um)
    return provenance
