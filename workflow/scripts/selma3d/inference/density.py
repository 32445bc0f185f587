"""Density maps: how many objects lie in each box of a coarse grid, for each mm³ of the volume."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..images.geometry import Geometry
from ..images.storage import VoxelSize

EDGE_VOXELS = 32  # of a box, where the voxel size is unknown
UM3_PER_MM3 = 1e9
MEGAVOXEL = 1e6


@dataclass(frozen=True)
class DensityMap:
    """Objects a mm³ (a million voxels where the voxel size is unknown), float32 (Z,Y,X).

    edges: of a box in voxels (z,y,x). geometry: of the boxes, the first voxel of the volume lying
    at 0. Boxes at the far faces hold what is there, and are divided by that volume.
    """

    values: np.ndarray
    edges: tuple[int, int, int]
    geometry: Geometry


def density_map(
    objects: pd.DataFrame,
    shape: tuple[int, int, int],
    voxel_size_um: VoxelSize | None,
    edge_um: float,
) -> DensityMap:
    """The density of objects (columns z, y, x: centroids in voxels) in a volume (Z,Y,X).

    edge_um: of a box, rounded to whole voxels.
    """
    if voxel_size_um is None:
        edges, unit = (EDGE_VOXELS,) * 3, 1 / MEGAVOXEL
        spacing = tuple(float(edge) for edge in edges)
    else:
        edges = tuple(max(1, round(edge_um / size)) for size in voxel_size_um)
        unit = float(np.prod(voxel_size_um)) / UM3_PER_MM3
        spacing = tuple(n * size for n, size in zip(edges, voxel_size_um, strict=True))
    faces = [np.append(np.arange(0, n, e), n) for n, e in zip(shape, edges, strict=True)]
    # Voxel i holds what lies from i - 0.5 to i + 0.5.
    counts, _ = np.histogramdd(objects[["z", "y", "x"]].to_numpy(float) + 0.5, faces)
    voxels = math.prod(np.ix_(*map(np.diff, faces)))
    step = np.asarray(spacing) / np.asarray(edges)
    first = tuple(((np.asarray(edges) - 1) / 2 * step)[::-1].tolist())
    geometry = Geometry(
        spacing[::-1],
        first,
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        None if voxel_size_um is None else 1.0,
    )
    return DensityMap((counts / (voxels * unit)).astype(np.float32), edges, geometry)
