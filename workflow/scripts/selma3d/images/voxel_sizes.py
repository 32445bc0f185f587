"""Voxel sizes that a row, a header and an edition state of one image, and the one that counts."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ..system.errors import InputError
from .geometry import OTHER_GEOMETRY, SPACING_TOLERANCE, lengths_text
from .storage import VoxelSize

SQUARE = 1.1  # x may be longer than y by so much

log = logging.getLogger(__name__)


def counting_voxel_size(
    path: Path,
    header: VoxelSize | None,
    row: VoxelSize | None,
    structure: VoxelSize | None,
    allow: Collection[str],
) -> VoxelSize | None:
    """The voxel size of the image `path`: of its row, else its header, else its structure.

    All (z,y,x) in µm. Raises InputError, unless `allow` holds other-geometry, where the header
    disagrees with what is stated of it.
    """
    place, stated = ("its row of the samples table", row) if row else ("the edition", structure)
    if None not in (stated, header) and not np.allclose(
        stated, header, rtol=SPACING_TOLERANCE, atol=0
    ):
        text = (
            f"{path}: expected voxels of {lengths_text(stated)} µm (z,y,x) as {place} states, "
            f"found {lengths_text(header)} in its header"
        )
        if OTHER_GEOMETRY not in allow:
            raise InputError(
                f"{text} (correct one of them; or, if headers are wrong, state sizes in the "
                f"samples table and allow {OTHER_GEOMETRY!r})"
            )
        log.warning("%s: allowed", text)
    size = row or header or structure
    if size is not None and np.isclose(size[0], size[1]) and size[2] > SQUARE * size[1]:
        log.warning(
            "%s: voxels of %s µm (z,y,x): pixels of cameras are square, so these lengths may "
            "stand as x, y, z",
            *(path, lengths_text(size)),
        )
    return size
