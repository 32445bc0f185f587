"""MHA, the format of the challenge, compressed; in memory."""

from __future__ import annotations

from pathlib import Path

import SimpleITK

from ..images.storage import VoxelSize
from ..system.atomic import publish
from .source import Source

UM_PER_MM = 1000.0


def write_mha(source: Source, path: Path, voxel_size_um: VoxelSize | None) -> None:
    """Write a mask; spacing is x, y, z in millimetres, ITK's unit; 1 where the size is unknown."""
    image = SimpleITK.GetImageFromArray(source[:])
    if voxel_size_um is not None:
        image.SetSpacing([size / UM_PER_MM for size in reversed(voxel_size_um)])
    write_image(image, path)


def write_image(image: SimpleITK.Image, path: Path) -> None:
    """Write an image of SimpleITK, compressed; it appears when it is whole."""
    with publish(path) as temporary:
        SimpleITK.WriteImage(image, str(temporary), useCompression=True)
