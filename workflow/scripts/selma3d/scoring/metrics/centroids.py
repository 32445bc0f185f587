"""Objects found by the distance of their centres of mass, as cells are counted."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import KDTree

from .comparison import Comparison
from .prepared import VoxelSize

REACH_UM = 10.0  # about the diameter of a neuron's nucleus
REACH_VOXELS = 5.0  # where the voxel size is unknown


def centroid_f1(comparison: Comparison) -> float:
    """2·TP / (objects of both), TP being pairs of centroids within reach, matched one to one.

    Reach is 10 µm, or 5 voxels where the voxel size is unknown. Of all ways to match, one with the
    most pairs is taken. NaN where both masks are empty, 0 where one is.
    """
    reach = reach_of(comparison.voxel_size_um)
    true = comparison.truth.centroids * np.asarray(comparison.spacing)
    predicted = comparison.prediction.centroids * np.asarray(comparison.spacing)
    return f1(true, predicted, reach)


def reach_of(voxel_size_um: VoxelSize | None) -> float:
    """How far apart two centroids of one object may lie: micrometres, or voxels if unknown."""
    return REACH_VOXELS if voxel_size_um is None else REACH_UM


def f1(true: np.ndarray, predicted: np.ndarray, reach: float) -> float:
    """2·TP / (n + m) of points (n, 3) and (m, 3); NaN where there are none at all."""
    points = len(true) + len(predicted)
    return 2 * matched(true, predicted, reach) / points if points else math.nan


def matched(true: np.ndarray, predicted: np.ndarray, reach: float) -> int:
    """The largest number of pairs of points within reach, each point in one pair at most."""
    if not (len(true) and len(predicted)):
        return 0
    near = KDTree(true).sparse_distance_matrix(KDTree(predicted), reach, output_type="ndarray")
    within = coo_array(
        (np.ones(len(near), dtype=np.int8), (near["i"], near["j"])),
        shape=(len(true), len(predicted)),
    )
    return int((maximum_bipartite_matching(within.tocsr()) >= 0).sum())
