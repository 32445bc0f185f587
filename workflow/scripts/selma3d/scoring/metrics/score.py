"""Scores of one prediction against its truth, as {metric: value}."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from .comparison import Comparison, spacing_of
from .length import length_error
from .objects import (
    count_error,
    object_precision,
    object_recall,
    panoptic_quality_robust,
    panoptic_quality_selma2026,
)
from .overlap import cldice_robust, cldice_selma2024, cldice_selma2026, dice
from .prepared import PreparedMask, VoxelSize, prepare_truth
from .surface import average_surface_distance, hausdorff95, surface_dice
from .table import DESCRIBE, ROBUST, metrics_of
from .topology import betti0_error, betti1_error

Formula = Callable[[Comparison], float]

# A metric is computed alike in all profiles, unless (profile, metric) says otherwise.
FORMULAS: Mapping[str, Formula] = {
    "dice": dice,
    "betti0_error": betti0_error,
    "betti1_error": betti1_error,
    "cldice": cldice_selma2024,
    "panoptic_quality": panoptic_quality_selma2026,
    "hausdorff95": hausdorff95,
    "object_precision": object_precision,
    "object_recall": object_recall,
    "count_error": count_error,
    "surface_dice": surface_dice,
    "average_surface_distance": average_surface_distance,
    "length_error": length_error,
}
PROFILE_FORMULAS: Mapping[tuple[str, str], Formula] = {
    ("selma2026", "cldice"): cldice_selma2026,
    (ROBUST, "cldice"): cldice_robust,
    (ROBUST, "panoptic_quality"): panoptic_quality_robust,
}


def score_case(
    truth: ArrayLike | PreparedMask,
    prediction: ArrayLike | PreparedMask,
    *,
    structure_type: str,
    profile: str,
    voxel_size_um: VoxelSize | None = None,
) -> dict[str, float]:
    """Score a prediction by the metrics that `profile` has for `structure_type`.

    truth, prediction: (Z,Y,X) of one shape, foreground > 0; either may come from `prepare_truth`.
    voxel_size_um: (z,y,x) micrometres; None where unknown, distances are then in voxels. NaN where
    the profile leaves a value undefined (METRICS says when). Raises InputError for another number
    of axes, shapes that differ, and unknown profiles and structure types.
    """
    return score(_compare(truth, prediction, voxel_size_um), structure_type, profile)


def describe_case(
    truth: ArrayLike | PreparedMask,
    prediction: ArrayLike | PreparedMask,
    *,
    structure_type: str,
    voxel_size_um: VoxelSize | None = None,
) -> dict[str, float]:
    """Metrics beyond the profiles: objects found, count, surfaces and, of vessels, length.

    Arguments, units and errors as in `score_case`.
    """
    return score(_compare(truth, prediction, voxel_size_um), structure_type, DESCRIBE)


def describe_truth(
    truth: ArrayLike | PreparedMask, *, voxel_size_um: VoxelSize | None = None
) -> dict[str, float]:
    """The TRUTH_FACTS of a case, by which undefined values are judged.

    Voxels of the mask and of its 3D Lee skeleton, its Betti numbers 0 and 1, and the image's
    diagonal in micrometres, or in voxels where the voxel size is unknown.
    """
    truth = prepare_truth(truth)
    extent = np.multiply(truth.shape, spacing_of(voxel_size_um))
    return {
        "truth_voxels": float(truth.voxels),
        "truth_skeleton_voxels": float(truth.skeleton.size),
        "truth_betti0": float(truth.betti[0]),
        "truth_betti1": float(truth.betti[1]),
        "truth_diagonal": float(np.linalg.norm(extent)),
    }


def score(comparison: Comparison, structure_type: str, profile: str) -> dict[str, float]:
    """`score_case`, or with profile "describe" `describe_case`, of what is already compared."""
    return {
        metric: float(PROFILE_FORMULAS.get((profile, metric), FORMULAS[metric])(comparison))
        for metric in metrics_of(profile, structure_type)
    }


def _compare(
    truth: ArrayLike | PreparedMask,
    prediction: ArrayLike | PreparedMask,
    voxel_size_um: VoxelSize | None,
) -> Comparison:
    return Comparison(prepare_truth(truth), prepare_truth(prediction), voxel_size_um)
