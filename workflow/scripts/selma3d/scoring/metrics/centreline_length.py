"""Length of centrelines."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from .comparison import Comparison
from .prepared import PreparedMask, VoxelSize

# One of each two opposite steps to a voxel's 26 neighbours.
STEPS = tuple(step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0))


def length_error(comparison: Comparison) -> float:
    """|L(P) − L(G)| / L(G), L being the skeleton's length.

    NaN where the truth's skeleton is empty or of lone voxels, which have no length.
    """
    true = skeleton_length(comparison.truth, comparison.spacing)
    predicted = skeleton_length(comparison.prediction, comparison.spacing)
    return abs(predicted - true) / true if true else math.nan


def skeleton_length(mask: PreparedMask, spacing: VoxelSize) -> float:
    """Sum of the distances between all neighbouring (26) voxels of the skeleton.

    In units of `spacing` (z,y,x). Where three voxels of a branching touch each other all three
    distances count, in truth and prediction alike.
    """
    position = np.stack(np.unravel_index(mask.skeleton, mask.shape), axis=1) + 1
    frame = np.asarray(mask.shape) + 2  # a step off one end of a row must not land on the next row
    strides = np.array([frame[1] * frame[2], frame[2], 1])
    voxels = position @ strides
    return sum(
        math.hypot(*np.multiply(step, spacing))
        * np.count_nonzero(np.isin(voxels + np.dot(step, strides), voxels, assume_unique=True))
        for step in STEPS
    )
