"""Instances: every object of a mask has a number, and objects that touch are told apart.

A component (26) is split where its distance to the background has several peaks: between two of
them it must fall by more than a depth, else they are one. This is the watershed of the distance
transform from the maxima that remain after its h-maxima transform (Soille, Morphological Image
Analysis, 2nd ed., 2003, 6.3.4).

How a component is split depends on its own voxels alone: the background nearest to one of them
touches the component, so it lies in the component's box with a voxel around it, and other
components do not. So each component is split in its own box, and the result is that of the whole
volume, however it is cut into blocks. A component in a box of more than LARGEST voxels stays whole;
it is a network of vessels rather than cells.

In memory: one block or one box, and a few numbers an object.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import cc3d
import h5py
import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from ..images import SegmentationFile
from ..images.hdf5_writing import writing_hdf5
from ..images.storage import ArrayOnDisk, VoxelSize, chunk_shape, compression, stamp
from ..system.atomic import publish
from .blocks import Box
from .components import EDGE, Components, label_blocks, stitch

log = logging.getLogger(__name__)

LARGEST = 2**24  # voxels of a box in which a component is split: about 1.5 GB
AROUND = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class Splitting:
    """How touching objects are told apart.

    method: `components` leaves them together, `watershed` splits them as the module says. depth: by
    how much the distance to the background must fall between two objects, in edges of a voxel's
    shortest side. largest: see LARGEST.
    """

    method: Literal["components", "watershed"] = "watershed"
    depth: float = 1.0
    largest: int = LARGEST


def write_instances(
    segmentation: Path, output: Path, splitting: Splitting, *, block: int = EDGE
) -> None:
    """Write the instances of a segmented volume (HDF5), see `label_instances`."""
    edges = (block,) * 3
    with (
        SegmentationFile(segmentation) as found,
        publish(output) as temporary,
        tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.stem}.") as room,
        h5py.File(Path(room) / "parts.h5", "w", locking=False) as scratch,
        writing_hdf5(temporary) as file,
    ):
        stamp(file, "instances")
        labels, parts = (_create(owner, "labels", found.shape) for owner in (file, scratch))
        component, unsplit = label_instances(
            found.mask, labels, parts, splitting, found.voxel_size_um, edges
        )
        file.create_dataset("component", data=component)
        file.attrs.update(asdict(splitting) | {"unsplit": unsplit})
        if found.voxel_size_um is not None:
            file.attrs["voxel_size_um"] = np.asarray(found.voxel_size_um)
    log.info("%s: %d objects in %d components", output, len(component), component.max(initial=0))


def label_instances(
    mask: ArrayOnDisk,
    labels: ArrayOnDisk,
    parts: ArrayOnDisk,
    splitting: Splitting,
    voxel_size_um: VoxelSize | None = None,
    edges: tuple[int, int, int] = (EDGE,) * 3,
) -> tuple[np.ndarray, int]:
    """Number the objects of a mask (Z,Y,X) into `labels`, uint32 (Z,Y,X), which is all 0 before.

    Ids count from 1 in scan order of the components' first voxels, and within a component of the
    objects' own. parts: room for as many numbers as `labels`, all 0. edges: the blocks in which
    mask and labels are read and written; the result does not depend on them. Returns the component
    of each object, from 1, and how many components were too large to be split.
    """
    components = stitch(mask, edges)
    counts, unsplit = np.ones(len(components.voxels), np.int64), 0
    if splitting.method == "watershed":
        sides = (components.box[:, 1] - components.box[:, 0]).prod(axis=1)
        unsplit = int((sides > splitting.largest).sum())
        spacing = voxel_size_um or (1.0, 1.0, 1.0)
        for number, box, alone in _alone(mask, components, edges, splitting.largest):
            split = split_component(alone, spacing, splitting.depth)
            if split is not None:
                counts[number] = split.max()
                kept = parts[box]
                kept[alone] = split[alone]
                parts[box] = kept
    last = np.cumsum(counts)
    for pieces in label_blocks(mask, edges):
        if not pieces.count:
            continue
        number = components.of_piece[pieces.first : pieces.first + pieces.count]
        before = np.concatenate([[0], last[number] - counts[number]])[pieces.labels]
        within = (pieces.labels > 0).astype(np.int64)
        if (counts[number] > 1).any():
            within = np.maximum(within, parts[pieces.box])
        labels[pieces.box] = (before + within).astype(np.uint32)
    return np.repeat(np.arange(1, len(counts) + 1), counts), unsplit


def split_component(
    component: np.ndarray, spacing: tuple[float, float, float], depth: float
) -> np.ndarray | None:
    """Split one component, bool (Z,Y,X), by the watershed of its distance transform.

    spacing: of the voxels (z,y,x). depth: in the shortest of them. Returns int32 (Z,Y,X), from 1 in
    scan order of the parts' first voxels; None where there is but one part.
    """
    padded = np.pad(component, 1)
    distance = distance_transform_edt(padded, sampling=spacing)
    fall = depth * min(spacing)
    if distance.max() <= fall or _count(local_maxima(distance, connectivity=3)) == 1:
        return None
    flooded = reconstruction(distance - fall, distance, method="dilation", footprint=AROUND)
    flooded[~padded] = -1
    peaks = local_maxima(flooded, connectivity=3) & padded
    markers, count = cc3d.connected_components(
        peaks.astype(np.uint8), connectivity=26, return_N=True
    )
    if count < 2:
        return None
    parts = watershed(-distance, markers.astype(np.int32), mask=padded, connectivity=AROUND)
    inner = parts[1:-1, 1:-1, 1:-1]
    found, first = np.unique(inner[component], return_index=True)
    number = np.zeros(count + 1, np.int32)
    number[found[np.argsort(first)]] = np.arange(1, len(found) + 1)
    return number[inner]


def _alone(
    mask: ArrayOnDisk, components: Components, edges: tuple[int, int, int], largest: int
) -> Iterator[tuple[int, Box, np.ndarray]]:
    """Each component that may be split: its number, its box, and its voxels in it, bool."""
    met = np.zeros(len(components.voxels), bool)
    for pieces in label_blocks(mask, edges):
        for piece, inside in enumerate(find_objects(pieces.labels)):
            number = components.of_piece[pieces.first + piece]
            low, high = components.box[number]
            if met[number] or (high - low).prod() > largest:
                continue
            met[number] = True
            box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
            if all(b.stop <= p.stop for b, p in zip(box, pieces.box, strict=True)) and all(
                b.start >= p.start for b, p in zip(box, pieces.box, strict=True)
            ):
                yield number, box, pieces.labels[inside] == piece + 1
            else:
                around = cc3d.connected_components(np.ascontiguousarray(mask[box]), connectivity=26)
                first = np.unravel_index(components.first[number], mask.shape)
                yield number, box, around == around[tuple(np.subtract(first, low))]


def _count(peaks: np.ndarray) -> int:
    return cc3d.connected_components(peaks.astype(np.uint8), connectivity=26, return_N=True)[1]


def _create(owner: h5py.File, name: str, shape: tuple[int, int, int]) -> h5py.Dataset:
    return owner.create_dataset(name, shape, np.uint32, chunks=chunk_shape(shape), **compression())
