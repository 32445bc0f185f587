"""Surfaces of masks and the distances between them.

A mask's surface is its voxels with a background voxel, or the image's end, at one of their six
faces, as in MONAI. Distances run between voxel centres.
"""

from __future__ import annotations

import math

import numpy as np

from .comparison import Comparison


def hausdorff95(comparison: Comparison) -> float:
    """The larger of the two directed 95th percentiles (interpolated); NaN if a mask is empty."""
    there, back = comparison.surface_distances
    if not (there.size and back.size):
        return math.nan
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def average_surface_distance(comparison: Comparison) -> float:
    """Mean distance of all surface voxels of both to the other surface; NaN if a mask is empty."""
    there, back = comparison.surface_distances
    if not (there.size and back.size):
        return math.nan
    return float((there.sum() + back.sum()) / (there.size + back.size))


def surface_dice(comparison: Comparison) -> float:
    """Share of both surfaces' voxels within a voxel's diagonal of the other surface.

    So surfaces agree that pass through the same or neighbouring voxels. NaN if both masks are
    empty, 0 if one is.
    """
    there, back = comparison.surface_distances
    voxels = comparison.truth.surface.size + comparison.prediction.surface.size
    if not voxels:
        return math.nan
    # Rounding of squares and roots must not decide about neighbours across a corner.
    tolerance = math.hypot(*comparison.spacing) * (1 + 1e-9)
    return float((np.sum(there <= tolerance) + np.sum(back <= tolerance)) / voxels)
