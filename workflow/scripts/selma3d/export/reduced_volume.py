"""A whole volume at reduced resolution as OME-Zarr, for a viewer to show below its masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..images import VolumeFile
from ..images.geometry import Geometry
from ..report.cases.stacks import steps_of
from ..report.cases.whole_volumes import reduced
from ..report.shown import ShownVolume
from .ome_zarr import ImageWithMasks, write_image_with_masks

LARGEST = (128, 256, 256)  # planes, rows, columns: with 16 bits 17 MB, before compression


def export_reduced_volume(shown: ShownVolume, folder: Path) -> None:
    """Write the channel that is seen of a volume as `folder`, reduced to at most LARGEST voxels.

    It lies where the volume does, so that masks of full resolution fit on it.
    """
    with VolumeFile(shown.volume_h5) as volume:
        shape, size = volume.shape, volume.voxel_size_um
        steps = steps_of(shape, LARGEST)
        image = reduced(lambda box: volume.read(shown.channel, box), shape, steps, brightest=True)
        dtype = volume.dtype
    window = tuple(np.percentile(image, [1, 99.9]))
    whole = ImageWithMasks(np.round(image).astype(dtype), window, {}, steps)
    write_image_with_masks(whole, folder, Geometry.of_size(size))
