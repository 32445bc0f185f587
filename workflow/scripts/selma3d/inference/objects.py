"""The objects of a whole volume as a table, without the volume in memory."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from ..images import SegmentationFile, VolumeFile
from ..images.storage import ArrayOnDisk, VoxelSize
from ..system.atomic import write_table
from ..system.errors import InputError
from .components import EDGE, stitch

log = logging.getLogger(__name__)


def write_objects(
    segmentation: Path, volume: Path, table: Path, *, channel: int, block: int = EDGE
) -> None:
    """Write the objects of a segmented volume (HDF5) as TSV, see `object_table`.

    Raises InputError where mask and volume differ in shape, or the volume lacks the channel.
    """
    with SegmentationFile(segmentation) as found, VolumeFile(volume) as source:
        if found.shape != source.shape:
            raise InputError(
                f"{segmentation}: expected shape {source.shape} as {volume}, found {found.shape}"
            )
        image = source.dataset("image")
        grey = _Channel(image, source.channel_of(image, channel))
        objects = object_table(found.mask, grey, found.voxel_size_um, (block,) * 3)
    log.info("%s: %d objects", segmentation, len(objects))
    write_table(objects, table)


def object_table(
    mask: ArrayOnDisk,
    image: ArrayOnDisk | None,
    voxel_size_um: VoxelSize | None,
    edges: tuple[int, int, int] = (EDGE,) * 3,
) -> pd.DataFrame:
    """One row a 26-connected component of `mask` (Z,Y,X), in scan order of its first voxel.

    id, from 1; z, y, x: centroid in voxels, their centres being whole numbers; z_um, y_um, x_um:
    the same in micrometres; voxels; volume_um3; z_start, z_stop, …: bounding box, stop exclusive;
    mean_intensity in raw units. NaN where the voxel size is unknown or there is no image. Does not
    depend on `edges`, the blocks in which mask and image are read.
    """
    found = stitch(mask, image, edges)
    centroid = found.position / found.voxels[:, None]
    size = np.full(3, np.nan) if voxel_size_um is None else np.asarray(voxel_size_um)
    columns: dict[str, np.ndarray] = {"id": np.arange(1, len(found.voxels) + 1)}
    columns |= {axis: centroid[:, i] for i, axis in enumerate("zyx")}
    columns |= {f"{axis}_um": centroid[:, i] * size[i] for i, axis in enumerate("zyx")}
    columns |= {"voxels": found.voxels, "volume_um3": found.voxels * size.prod()}
    for i, axis in enumerate("zyx"):
        columns |= {f"{axis}_start": found.box[:, 0, i], f"{axis}_stop": found.box[:, 1, i]}
    grey = found.intensity / found.voxels
    columns["mean_intensity"] = np.full_like(grey, np.nan) if image is None else grey
    return pd.DataFrame(columns)


class _Channel:
    """One channel of an image (C,Z,Y,X) on disk, read like an array (Z,Y,X)."""

    def __init__(self, image: ArrayOnDisk, channel: int) -> None:
        self._image, self._channel = image, channel
        self.shape = image.shape[1:]

    def __getitem__(self, box: tuple[slice, slice, slice]) -> np.ndarray:
        return self._image[(self._channel, *box)]
