"""A shaded view of a labelled volume, without a graphics card: first hit along parallel rays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from scipy import ndimage

TURN_DEG, TILT_DEG = 25.0, 55.0  # about z, then z upright from lying along the line of sight
LIGHT = np.array([-0.75, -0.5, -0.45])  # towards the lamp: front, top, left (depth, row, column)


def render(
    classes: np.ndarray,
    colours: Sequence[str],
    scale: Sequence[float],
    side: int,
    behind: int = 0,
) -> np.ndarray:
    """Draw classes 1 … n of a (Z,Y,X) volume in `colours`, as (side, side, 4) floats in [0,1].

    scale: relative voxel size (z,y,x). behind: a label that is drawn only where no other is hit,
    since a thin shell of it would hide all others. Pixels without a label are transparent.
    """
    matrix, offset = _view(classes.shape, scale, side)
    turned = ndimage.affine_transform(
        classes, matrix, offset, output_shape=(side, side, side), order=0, prefilter=False
    )
    ahead = (turned > 0) & (turned != behind)
    hit = np.where(ahead.any(axis=0), ahead, turned > 0)
    depth = hit.argmax(axis=0)
    seen = np.take_along_axis(turned, depth[None], axis=0)[0]
    table = np.array([(0, 0, 0), *map(to_rgb, colours)], float)
    brightness = _shade(np.where(seen > 0, depth, side).astype(float), side)
    return np.dstack([table[seen] * brightness[..., None], (seen > 0).astype(float)])


def box_edges(
    shape: Sequence[int], scale: Sequence[float], side: int
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The twelve edges of the volume in the same view, as pairs of (column, row) pixels."""
    matrix, offset = _view(shape, scale, side)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij")).reshape(3, -1).T
    seen = np.linalg.solve(matrix, (corners - offset).T).T[:, [2, 1]]
    return [
        (tuple(seen[a]), tuple(seen[b]))
        for a in range(8)
        for b in range(a)
        if (corners[a] != corners[b]).sum() == 1
    ]


def _view(shape: Sequence[int], scale: Sequence[float], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset from view pixels (depth, row, column) to voxels (z,y,x)."""
    turn, tilt = np.deg2rad([TURN_DEG, TILT_DEG])
    about_z = np.array(
        [[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]]
    )
    about_x = np.array(
        [[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]]
    )
    scale = np.asarray(scale, float)
    extent = np.linalg.norm(np.asarray(shape) * scale)
    matrix = np.diag(extent / side / scale) @ about_z @ about_x
    middle = (np.asarray(shape) - 1) / 2
    return matrix, middle - matrix @ np.full(3, (side - 1) / 2)


def _shade(depth: np.ndarray, side: int) -> np.ndarray:
    """Lambert's law on the smoothed depth, and a fading of what lies far off."""
    smooth = ndimage.gaussian_filter(depth, 0.8)
    slope = np.stack(np.gradient(smooth))
    normal = np.stack([-np.ones_like(smooth), *slope]) / np.sqrt(1 + (slope**2).sum(axis=0))
    lit = np.clip(np.tensordot(LIGHT / np.linalg.norm(LIGHT), normal, axes=1), 0, 1)
    return (0.65 + 0.35 * lit) * (1 - 0.25 * depth / side)
