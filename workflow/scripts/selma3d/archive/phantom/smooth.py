"""Random fields that vary slowly: drawn on a coarse grid and interpolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from .geometry import Grid


def random_field(rng: np.random.Generator, grid: Grid, scale_um: float) -> np.ndarray:
    """Random (Z,Y,X) float32 of mean 0 and standard deviation 1, smooth on `scale_um`."""
    step = [max(1, round(scale_um / 4 / size)) for size in grid.voxel_size_um]
    coarse = [-(-size // stride) + 1 for size, stride in zip(grid.shape, step, strict=True)]
    noise = rng.standard_normal(coarse, dtype=np.float32)
    sigma = 0.5 * scale_um / np.multiply(step, grid.voxel_size_um)
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap", truncate=3.0)
    field = _enlarge(smooth, grid.shape, step, first=(0, 0, 0))
    field -= field.mean(dtype=np.float64)
    return field / max(float(field.std(dtype=np.float64)), 1e-6)


def spread(image: np.ndarray, grid: Grid, sigma_um: float) -> np.ndarray:
    """Image (Z,Y,X) float32 blurred by a wide Gaussian, from means over blocks of a third of it."""
    step = [
        min(length, max(1, int(sigma_um / 3 / size)))
        for length, size in zip(grid.shape, grid.voxel_size_um, strict=True)
    ]
    coarse = image
    for axis, stride in enumerate(step):
        coarse = ndimage.uniform_filter1d(coarse, stride, axis=axis, mode="nearest")
        coarse = coarse[(slice(None),) * axis + (slice(stride // 2, None, stride),)]
    sigma = sigma_um / np.multiply(step, grid.voxel_size_um)
    coarse = ndimage.gaussian_filter(coarse, sigma, mode="nearest", truncate=2.5)
    return _enlarge(coarse, grid.shape, step, first=[stride // 2 for stride in step])


def _enlarge(
    coarse: np.ndarray, shape: Sequence[int], step: Sequence[int], first: Sequence[int]
) -> np.ndarray:
    """Interpolate linearly between samples at voxels `first`, `first + step`, … of each axis."""
    for axis, length in enumerate(shape):
        last = coarse.shape[axis] - 1
        place = np.clip((np.arange(length) - first[axis]) / step[axis], 0, last)
        below = np.minimum(place.astype(int), max(last - 1, 0))
        weight = (
            (place - below).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        )
        above = np.minimum(below + 1, last)
        lower = coarse.take(below, axis)
        coarse = lower + (coarse.take(above, axis) - lower) * weight
    return coarse
