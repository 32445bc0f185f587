"""The objects of a whole volume as a table, without the volume in memory."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from ..images import InstanceFile, VolumeFile
from ..images.storage import ArrayOnDisk, VoxelSize, boxes
from ..system.errors import InputError
from .components import EDGE
from .instances import Splitting, label_instances

log = logging.getLogger(__name__)


def measure_objects(
    instances: Path, volume: Path, *, channel: int, block: int = EDGE
) -> pd.DataFrame:
    """The table of the objects of a volume, see `object_table`, with the component of each.

    Raises InputError where labels and volume differ in shape, or the volume lacks the channel.
    """
    with InstanceFile(instances) as found, VolumeFile(volume) as source:
        if found.labels.shape != source.shape:
            raise InputError(
                f"{instances}: expected shape {source.shape} as {volume}, "
                f"found {found.labels.shape}"
            )
        image = source.dataset("image")
        grey = Channel(image, source.channel_of(image, channel))
        component = found.component
        objects = object_table(
            found.labels, len(component), grey, found.voxel_size_um, (block,) * 3
        )
    log.info("%s: %d objects", instances, len(objects))
    return objects.assign(component=component)


def objects_in_memory(
    mask: np.ndarray, image: np.ndarray, voxel_size_um: VoxelSize | None, splitting: Splitting
) -> pd.DataFrame:
    """The objects of a mask (Z,Y,X) in memory, as `measure_objects`."""
    labels, parts = (np.zeros(mask.shape, np.uint32) for _ in range(2))
    component, _ = label_instances(mask, labels, parts, splitting, voxel_size_um)
    table = object_table(labels, len(component), image, voxel_size_um)
    return table.assign(component=component)


def object_table(
    labels: ArrayOnDisk,
    count: int,
    image: ArrayOnDisk,
    voxel_size_um: VoxelSize | None,
    edges: tuple[int, int, int] = (EDGE,) * 3,
) -> pd.DataFrame:
    """One row an object of `labels` (Z,Y,X), of ids 1 to `count`.

    id; z, y, x: centroid in voxels, their centres being whole numbers; z_um, y_um, x_um: the same
    in micrometres; voxels; volume_um3; z_start, z_stop, …: bounding box, stop exclusive; border: 1
    where it touches a face of the volume, so that a part of it may be missing; mean_intensity and
    max_intensity in raw units. NaN where the voxel size is unknown. Does not
    depend on `edges`, the blocks in which labels and image are read.
    """
    found = _Sums(count)
    for box in boxes(labels.shape, edges):
        found.add(box, labels[box], image[box])
    centroid = found.position / found.voxels[:, None]
    size = np.full(3, np.nan) if voxel_size_um is None else np.asarray(voxel_size_um)
    columns: dict[str, np.ndarray] = {"id": np.arange(1, count + 1)}
    columns |= {axis: centroid[:, i] for i, axis in enumerate("zyx")}
    columns |= {f"{axis}_um": centroid[:, i] * size[i] for i, axis in enumerate("zyx")}
    columns |= {"voxels": found.voxels, "volume_um3": found.voxels * size.prod()}
    for i, axis in enumerate("zyx"):
        columns |= {f"{axis}_start": found.low[:, i], f"{axis}_stop": found.high[:, i]}
    at_face = (found.low == 0) | (found.high == np.asarray(labels.shape))
    columns["border"] = at_face.any(axis=1).astype(int)
    columns["mean_intensity"] = found.intensity / found.voxels
    columns["max_intensity"] = found.brightest
    return pd.DataFrame(columns)


class Channel:
    """One channel of an image (C,Z,Y,X) on disk, read like an array (Z,Y,X)."""

    def __init__(self, image: ArrayOnDisk, channel: int) -> None:
        self._image, self._channel = image, channel
        self.shape = image.shape[1:]
        self.dtype = image.dtype

    def __getitem__(self, box: tuple[slice, slice, slice]) -> np.ndarray:
        return self._image[(self._channel, *box)]


class _Sums:
    """Sums over the voxels of each object.

    All but `intensity` are whole numbers, and so is that of an integer image below 2**53: the
    values do not depend on the order of the blocks.
    """

    def __init__(self, count: int) -> None:
        self.voxels = np.zeros(count, np.int64)
        self.position = np.zeros((count, 3), np.int64)
        self.low = np.full((count, 3), np.iinfo(np.int64).max)
        self.high = np.zeros((count, 3), np.int64)
        self.intensity = np.zeros(count)
        self.brightest = np.zeros(count)

    def add(self, box: tuple[slice, slice, slice], labels: np.ndarray, image: np.ndarray) -> None:
        """Add a block, its labels and voxels (Z,Y,X)."""
        flat = np.flatnonzero(labels)
        if not len(flat):
            return
        ids, local = np.unique(labels.ravel()[flat], return_inverse=True)
        rows = ids.astype(np.int64) - 1
        self.voxels[rows] += np.bincount(local)
        for axis, place in enumerate(np.unravel_index(flat, labels.shape)):
            place = place + box[axis].start
            # Sums of coordinates are far below 2**53, where float64 is exact.
            self.position[rows, axis] += np.bincount(local, place).astype(np.int64)
            low, high = np.full(len(ids), np.iinfo(np.int64).max), np.zeros(len(ids), np.int64)
            np.minimum.at(low, local, place)
            np.maximum.at(high, local, place + 1)
            self.low[rows, axis] = np.minimum(self.low[rows, axis], low)
            self.high[rows, axis] = np.maximum(self.high[rows, axis], high)
        grey = image.ravel()[flat].astype(np.float64)
        self.intensity[rows] += np.bincount(local, grey)
        brightest = np.zeros(len(ids))
        np.maximum.at(brightest, local, grey)
        self.brightest[rows] = np.maximum(self.brightest[rows], brightest)
