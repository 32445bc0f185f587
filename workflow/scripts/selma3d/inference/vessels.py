"""Length and radius of vessels in a whole volume, block by block.

Each block is thinned with a halo around it (3D Lee skeleton), and what lies in its core is counted:
length is the sum of the distances between neighbouring (26) skeleton voxels, each pair counted in
the block of its first voxel in scan order, so that lengths of blocks add up. Where three voxels of
a branching touch each other all three distances count. The radius of a skeleton voxel is its
distance to the background.

A skeleton depends on all of a vessel: it may differ by a voxel or two from that of the whole volume
where a vessel ends in the halo. Vessels wider than the halo get too small a radius.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize

from ..images.storage import ArrayOnDisk, VoxelSize, boxes
from .blocks import Box, shifted

EDGE, HALO = 128, 32
# One of each two opposite steps to a voxel's 26 neighbours.
STEPS = tuple(step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0))


# Takes voxels of the volume (n,3) and the length that begins in each.
Lengths = Callable[[np.ndarray, np.ndarray], None]


def vessel_table(
    mask: ArrayOnDisk,
    voxel_size_um: VoxelSize | None,
    *,
    edge: int = EDGE,
    halo: int = HALO,
    lengths: Lengths | None = None,
) -> pd.DataFrame:
    """One row a block of `edge`³ voxels with foreground: vessels in its core.

    z_start, z_stop, …: the core; voxels: foreground; length, mean_radius, sd_radius and max_radius
    in `unit` (um, or voxel where the voxel size is unknown); length_density: length a unit³.
    lengths: is given every piece between two voxels of the skeleton, a block at a time.
    """
    spacing = (1.0, 1.0, 1.0) if voxel_size_um is None else voxel_size_um
    rows = []
    for core in boxes(mask.shape, (edge,) * 3):
        around = tuple(
            slice(max(0, s.start - halo), min(n, s.stop + halo))
            for s, n in zip(core, mask.shape, strict=True)
        )
        block = np.pad(mask[around].astype(bool), 1)
        inside = tuple(slice(s.start + 1, s.stop + 1) for s in shifted(core, around))
        if block[inside].any():
            skeleton = skeletonize(block, method="lee") > 0
            places, pieces = _pieces(skeleton, inside, spacing)
            if lengths is not None:
                lengths(places + [side.start for side in core], pieces)
            rows.append(_position(core) | _measures(block, skeleton, inside, spacing, pieces.sum()))
    unit = "voxel" if voxel_size_um is None else "um"
    columns = [*_position((slice(0, 0),) * 3), "voxels", *MEASURES]
    return pd.DataFrame(rows, columns=columns).assign(unit=unit)


MEASURES = ("length", "length_density", "mean_radius", "sd_radius", "max_radius")


def _position(core: Box) -> dict[str, int]:
    return {
        f"{axis}_{end}": getattr(side, end)
        for axis, side in zip("zyx", core, strict=True)
        for end in ("start", "stop")
    }


def _pieces(skeleton: np.ndarray, inside: Box, spacing: VoxelSize) -> tuple[np.ndarray, np.ndarray]:
    """First voxel, counted from the core's, and length of each pair of neighbours."""
    places, lengths = [np.empty((0, 3), np.int64)], [np.empty(0)]
    for step in STEPS:
        onward = tuple(slice(s.start + d, s.stop + d) for s, d in zip(inside, step, strict=True))
        first = np.argwhere(skeleton[inside] & skeleton[onward])
        places.append(first)
        lengths.append(np.full(len(first), math.hypot(*np.multiply(step, spacing))))
    return np.concatenate(places), np.concatenate(lengths)


def _measures(
    block: np.ndarray, skeleton: np.ndarray, inside: Box, spacing: VoxelSize, length: float
) -> dict[str, float]:
    on_skeleton = skeleton[inside]
    radius = np.array([math.nan])
    if on_skeleton.any():
        radius = distance_transform_edt(block, sampling=spacing)[inside][on_skeleton]
    volume = on_skeleton.size * math.prod(spacing)
    values = (length, length / volume, radius.mean(), radius.std(), radius.max())
    return {"voxels": int(block[inside].sum())} | dict(zip(MEASURES, values, strict=True))
