"""Quantities that a biologist reads off a mask, of truth and prediction alike; no scores."""

from __future__ import annotations

import math

from .background_distance import background_distances
from .metric_table import quantities_of
from .prepared import PreparedMask, VoxelSize

PER_MILLION = 1e6  # micrometres in a cubic micrometre -> millimetres in a cubic millimetre


def measure(mask: PreparedMask, structure_type: str, spacing: VoxelSize) -> dict[str, float]:
    """The quantities of a structure type by name; spacing (z,y,x): voxel size, or of one voxel."""
    return {name: float(FORMULAS[name](mask, spacing)) for name in quantities_of(structure_type)}


def voxels(mask: PreparedMask, spacing: VoxelSize) -> float:
    """Voxels of the foreground."""
    return mask.voxels


def objects(mask: PreparedMask, spacing: VoxelSize) -> float:
    """26-connected components."""
    return mask.objects


def length_density(mask: PreparedMask, spacing: VoxelSize) -> float:
    """Length of the skeleton by the image's volume: mm/mm³, or voxels in a million voxels."""
    volume = math.prod(mask.shape) * math.prod(spacing)
    return PER_MILLION * mask.skeleton_graph.length(spacing) / volume


def radius(mask: PreparedMask, spacing: VoxelSize) -> float:
    """Mean distance of the skeleton's voxels to the nearest background voxel of the image.

    Between voxel centres, in units of `spacing`. NaN where there is no skeleton, or no background.
    """
    if not mask.skeleton.size:
        return math.nan
    distance = background_distances(mask, mask.skeleton, spacing).mean()
    return distance if math.isfinite(distance) else math.nan


def branch_points(mask: PreparedMask, spacing: VoxelSize) -> float:
    """Branch points of the skeleton, touching ones as one."""
    return mask.skeleton_graph.branch_points


FORMULAS = {
    formula.__name__: formula
    for formula in (voxels, objects, length_density, radius, branch_points)
}
