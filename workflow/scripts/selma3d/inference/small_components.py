"""Dropping specks from the mask of a whole volume, in place, a block at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..images.writing import writing_hdf5
from .components import label_blocks, stitch


def remove_small_components(segmentation: Path, min_voxels: int) -> None:
    """Set 26-connected components of fewer than `min_voxels` voxels to 0, also those cut by blocks.

    A probability, if there is one, stays as it is.
    """
    with writing_hdf5(segmentation, "r+") as file:
        mask = file["mask"]
        components = stitch(mask)
        small = components.voxels[components.of_piece] < min_voxels
        for piece in label_blocks(mask):
            dropped = np.concatenate([[False], small[piece.first : piece.first + piece.count]])
            if dropped.any():
                block = mask[piece.box]
                block[dropped[piece.labels]] = 0
                mask[piece.box] = block
