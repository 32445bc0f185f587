"""Scores of one prediction against its truth, as {metric: value}."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

import numpy as np
from numpy.typing import ArrayLike

from .comparison import Comparison, spacing_of
from .metric_table import DESCRIBE, METRICS, metrics_of
from .prepared import PreparedMask, VoxelSize, prepare_truth

Formula = Callable[[Comparison], float]


@cache
def formula_of(metric: str, profile: str) -> Formula:
    """The function that computes a metric in a profile, or in "describe"."""
    known = METRICS[metric]
    module, _, function = known.profile_formulas.get(profile, known.formula).partition(":")
    return getattr(import_module(f".{module}", __package__), function)


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
        metric: float(formula_of(metric, profile)(comparison))
        for metric in metrics_of(profile, structure_type)
    }


def _compare(
    truth: ArrayLike | PreparedMask,
    prediction: ArrayLike | PreparedMask,
    voxel_size_um: VoxelSize | None,
) -> Comparison:
    return Comparison(prepare_truth(truth), prepare_truth(prediction), voxel_size_um)
