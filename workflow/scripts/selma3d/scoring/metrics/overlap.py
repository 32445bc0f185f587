"""Overlap of masks and of centrelines: Dice, Dice with a tolerance, and clDice."""

from __future__ import annotations

import math

import numpy as np

from . import bits
from .comparison import Comparison
from .prepared import PreparedMask

SMOOTH = 1e-6  # of the organisers' clDice of 2024


def dice(comparison: Comparison) -> float:
    """2|P∩G| / (|P|+|G|); 1 where both are empty."""
    voxels = comparison.truth.voxels + comparison.prediction.voxels
    return 2 * comparison.shared_voxels / voxels if voxels else 1.0


def tolerant_dice(comparison: Comparison) -> float:
    """(|P∩G′| + |G∩P′|) / (|P|+|G|); ′ marks a mask grown by the six neighbours of its voxels.

    So a mask that is moved by one voxel along an axis scores 1. NaN where both are empty.
    """
    truth, prediction = comparison.truth, comparison.prediction
    voxels = truth.voxels + prediction.voxels
    if not voxels:
        return math.nan
    right = bits.count(prediction.words & truth.grown_words)
    found = bits.count(truth.words & prediction.grown_words)
    return (right + found) / voxels


def cldice_selma2024(comparison: Comparison) -> float:
    """(2ab + 1e-6) / (a + b + 1e-6), a skeleton's share being 0 where it is empty.

    Their quirk is kept: where neither skeleton meets the other mask the value is 1.
    """
    a, b = _shares_inside(comparison)
    return (2 * a * b + SMOOTH) / (a + b + SMOOTH)


def cldice_selma2026(comparison: Comparison) -> float:
    """2ab / (a + b); NaN where a skeleton is empty or a = b = 0."""
    a, b = _shares_inside(comparison)
    empty = not (comparison.truth.skeleton.size and comparison.prediction.skeleton.size)
    return math.nan if empty or a == b == 0 else 2 * a * b / (a + b)


def cldice_robust(comparison: Comparison) -> float:
    """2ab / (a + b) over skeletons that leave no component out.

    1 where both masks are empty; 0 where one is, or nothing meets.
    """
    truth, prediction = comparison.truth, comparison.prediction
    if not (truth.voxels or prediction.voxels):
        return 1.0
    a = _share_inside(truth.whole_skeleton, prediction)
    b = _share_inside(prediction.whole_skeleton, truth)
    return 2 * a * b / (a + b) if a + b else 0.0


def _shares_inside(comparison: Comparison) -> tuple[float, float]:
    """Share of the truth's skeleton in the prediction, and of the prediction's in the truth."""
    truth, prediction = comparison.truth, comparison.prediction
    return _share_inside(truth.skeleton, prediction), _share_inside(prediction.skeleton, truth)


def _share_inside(skeleton: np.ndarray, mask: PreparedMask) -> float:
    if not skeleton.size:
        return 0.0
    return np.count_nonzero(mask.array.reshape(-1)[skeleton]) / skeleton.size
