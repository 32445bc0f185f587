"""Distance to the background: the Euclidean distance transform at a few voxels of a mask."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from scipy.ndimage import distance_transform_edt

from .prepared import PreparedMask, VoxelSize

REACH = 6.0  # in the smallest side of a voxel: up to here each offset is looked up
AT_ONCE = 64  # offsets; most voxels of a skeleton are done after the first ones


def background_distances(mask: PreparedMask, voxels: np.ndarray, spacing: VoxelSize) -> np.ndarray:
    """Distance of each foreground voxel to the nearest background voxel, between their centres.

    voxels: flat indices. spacing (z,y,x) gives the unit. What lies outside of the image is no
    background. Infinite where there is no background at all.
    """
    offsets, distances, reach = _offsets(spacing)
    padded, origin = _padded(mask, reach)
    position = np.stack(np.unravel_index(voxels, mask.shape), axis=1) - origin
    strides = np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])
    centres, steps = position @ strides, offsets @ strides
    flat, result = padded.reshape(-1), np.full(len(voxels), np.inf)
    left = np.arange(len(voxels))
    for start in range(0, len(steps), AT_ONCE):
        inside = flat.take(centres[left, None] + steps[start : start + AT_ONCE])
        first = inside.argmin(axis=1)
        found = ~inside[np.arange(len(left)), first]
        result[left[found]] = distances[start + first[found]]
        left = left[~found]
        if not left.size:
            return result
    if not padded.all():
        result[left] = _transformed(padded, reach, spacing).reshape(-1)[centres[left]]
    return result


def _padded(mask: PreparedMask, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mask's box and `reach` voxels around it, which are foreground outside of the image."""
    box = tuple(
        slice(max(s.start - r, 0), min(s.stop + r, n))
        for s, r, n in zip(mask.box, reach, mask.shape, strict=True)
    )
    padded = np.pad(mask.array[box], [(r, r) for r in reach], constant_values=True)
    return padded, np.array([s.start for s in box]) - reach


def _transformed(padded: np.ndarray, reach: np.ndarray, spacing: VoxelSize) -> np.ndarray:
    """The transform of what lies in the image; the nearest background is there."""
    distances = np.zeros(padded.shape)
    inside = tuple(slice(r, n - r) for r, n in zip(reach, padded.shape, strict=True))
    distances[inside] = distance_transform_edt(padded[inside], sampling=spacing)
    return distances


@cache
def _offsets(spacing: VoxelSize) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets (n, 3) within REACH, the nearest first; their lengths; voxels along each axis."""
    limit = REACH * min(spacing) * (1 + 1e-9)
    reach = np.maximum(np.floor(limit / np.asarray(spacing)).astype(int), 1)
    offsets = np.array(list(product(*(range(-r, r + 1) for r in reach))))
    distances = np.linalg.norm(offsets * np.asarray(spacing), axis=1)
    order = np.argsort(distances, kind="stable")
    order = order[distances[order] <= limit]
    return offsets[order], distances[order], reach
