"""Balls and ellipsoids on a voxel grid, and the field of view that they are painted into.

Truth is decided here alone. A voxel belongs to an object when its centre lies inside it. An object
too small to hold any voxel centre still owns the voxel that its own centre lies in, so that thin
branches stay connected.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

BOX_VOXELS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Grid:
    """A field of view: voxels (Z,Y,X) and their size in micrometres (z,y,x)."""

    shape: tuple[int, int, int]
    voxel_size_um: tuple[float, float, float]

    @property
    def extent_um(self) -> np.ndarray:
        """Edge lengths (z,y,x) of the field."""
        return np.multiply(self.shape, self.voxel_size_um).astype(float)

    @property
    def volume_mm3(self) -> float:
        """Volume of the field."""
        return float(np.prod(self.extent_um)) * 1e-9

    def within(self, points: np.ndarray, margin_um: float = 0.0) -> np.ndarray:
        """Which points (n,3), in micrometres, lie in the field or within a margin around it."""
        return np.all((points >= -margin_um) & (points < self.extent_um + margin_um), axis=1)


class Inside(NamedTuple):
    """Voxels that objects own, one entry an (object, voxel) pair.

    `voxel` is the flat index into the grid; `depth` runs from 0 at the object's centre to 1 at
    its surface (squared, so that the light of a ball seen from its middle falls off smoothly).
    """

    owner: np.ndarray
    voxel: np.ndarray
    depth: np.ndarray


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n,3) scaled to length one."""
    return vectors / np.sqrt((vectors**2).sum(axis=1, keepdims=True))


def random_axes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Uniformly random orthonormal frames (n,3,3); rows are the axes."""
    first = unit(rng.standard_normal((count, 3)))
    second = unit(np.cross(first, rng.standard_normal((count, 3))))
    return np.stack([first, second, np.cross(first, second)], axis=1)


def voxels_inside(
    grid: Grid, centres: np.ndarray, radii: np.ndarray, axes: np.ndarray | None = None
) -> Inside:
    """Which voxels each ball or ellipsoid owns; parts outside the field are cut off.

    `centres` (n,3) in micrometres; `radii` (n,) of balls, or (n,3) along the rows of `axes`
    (n,3,3) of ellipsoids.
    """
    if len(centres) == 0:
        nothing = np.empty(0, dtype=np.int64)
        return Inside(nothing, nothing, np.empty(0))
    if axes is None:
        radii = np.repeat(radii[:, None], 3, axis=1)
    portions = [
        _portion_inside(grid, members, half, centres[members], radii[members], axes)
        for members, half in _portions(grid, radii)
    ]
    return Inside(*(np.concatenate(column) for column in zip(*portions, strict=True)))


def _portions(grid: Grid, radii: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Objects with bounding boxes of one size (half edges in voxels), as many as fit in memory."""
    reach = np.ceil(radii.max(axis=1, keepdims=True) / grid.voxel_size_um).astype(np.int64)
    sizes, size_of = np.unique(reach, axis=0, return_inverse=True)
    for number, half in enumerate(sizes):
        members = np.flatnonzero(size_of.ravel() == number)
        together = max(1, BOX_VOXELS_AT_ONCE // int(np.prod(2 * half + 1)))
        for start in range(0, len(members), together):
            yield members[start : start + together], half


def _portion_inside(
    grid: Grid,
    members: np.ndarray,
    half: np.ndarray,
    centres: np.ndarray,
    radii: np.ndarray,
    axes: np.ndarray | None,
) -> Inside:
    """Test every voxel of the objects' bounding boxes, as arrays (object, z, y, x)."""
    corner = np.floor(centres / grid.voxel_size_um).astype(np.int64) - half
    index, offset = [], []
    for axis in range(3):
        along = corner[:, axis, None] + np.arange(2 * half[axis] + 1)
        shape = [len(members), 1, 1, 1]
        shape[axis + 1] = -1
        index.append(along.reshape(shape))
        from_centre = (along + 0.5) * grid.voxel_size_um[axis] - centres[:, axis, None]
        offset.append(from_centre.reshape(shape))
    depth = 0.0
    for axis in range(3):
        projected = offset[axis]
        if axes is not None:
            row = axes[members, axis][:, :, None, None, None]
            projected = row[:, 0] * offset[0] + row[:, 1] * offset[1] + row[:, 2] * offset[2]
        depth = depth + (projected / radii[:, axis, None, None, None]) ** 2
    owned = depth <= 1.0
    owned[:, half[0], half[1], half[2]] = True
    for axis in range(3):
        owned &= (index[axis] >= 0) & (index[axis] < grid.shape[axis])
    owner, *box = np.nonzero(owned)
    z, y, x = (corner[owner, axis] + box[axis] for axis in range(3))
    voxel = (z * grid.shape[1] + y) * grid.shape[2] + x
    return Inside(members[owner], voxel, np.minimum(depth[owned], 1.0))


class Canvas:
    """Truth (Z,Y,X) bool and emission (C,Z,Y,X) float32, relative to the tissue's own glow."""

    def __init__(self, grid: Grid, channels: int) -> None:
        self.grid = grid
        self.truth = np.zeros(grid.shape, dtype=bool)
        self.emission = np.zeros((channels, *grid.shape), dtype=np.float32)

    def paint(
        self,
        objects: Inside,
        brightness: np.ndarray,
        *,
        labelled: bool,
        softness: float = 0.4,
        channel: int = 0,
    ) -> None:
        """Let objects emit `brightness` (n,), less by the share `softness` at their surface.

        Where objects overlap the brighter one shows. Only labelled objects enter the truth.
        """
        light = brightness[objects.owner] * (1.0 - softness * objects.depth)
        flat = self.emission[channel].reshape(-1)
        np.maximum.at(flat, objects.voxel, light.astype(np.float32))
        if labelled:
            self.truth.reshape(-1)[objects.voxel] = True

    def count(self, rng: np.random.Generator, per_mm3: float, least: int = 0) -> int:
        """A random number of objects for the field's size."""
        return max(least, int(rng.poisson(per_mm3 * self.grid.volume_mm3)))

    def anywhere(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Uniformly random places (n,3) in the field, micrometres."""
        return rng.random((count, 3)) * self.grid.extent_um
