"""Length of centrelines."""

from __future__ import annotations

import math

from .comparison import Comparison
from .prepared import PreparedMask, VoxelSize


def length_error(comparison: Comparison) -> float:
    """|L(P) − L(G)| / L(G), L being the skeleton's length.

    NaN where the truth's skeleton is empty or of lone voxels, which have no length.
    """
    true = skeleton_length(comparison.truth, comparison.spacing)
    predicted = skeleton_length(comparison.prediction, comparison.spacing)
    return abs(predicted - true) / true if true else math.nan


def skeleton_length(mask: PreparedMask, spacing: VoxelSize) -> float:
    """Length of the skeleton in units of `spacing` (z,y,x); see `SkeletonGraph.length`."""
    return mask.skeleton_graph.length(spacing)
