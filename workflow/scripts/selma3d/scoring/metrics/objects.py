"""Objects found, missed and invented; see `matching` for what counts as found."""

from __future__ import annotations

import math

from .comparison import Comparison


def panoptic_quality_selma2026(comparison: Comparison) -> float:
    """SQ·RQ: mean Dice of matched pairs × TP/(TP + FP/2 + FN/2); NaN where both are empty."""
    objects = comparison.truth.objects + comparison.prediction.objects
    dice = comparison.matched_dice
    if not objects:
        return math.nan
    return float(dice.mean() * len(dice) / (objects / 2)) if len(dice) else 0.0


def panoptic_quality_robust(comparison: Comparison) -> float:
    """As `panoptic_quality_selma2026`, but 1 where both masks are empty."""
    quality = panoptic_quality_selma2026(comparison)
    return 1.0 if math.isnan(quality) else quality


def object_precision(comparison: Comparison) -> float:
    """Share of predicted objects that are matched; NaN where nothing is predicted."""
    predicted = comparison.prediction.objects
    return len(comparison.matched_dice) / predicted if predicted else math.nan


def object_recall(comparison: Comparison) -> float:
    """Share of true objects that are matched; NaN where the truth is empty."""
    true = comparison.truth.objects
    return len(comparison.matched_dice) / true if true else math.nan


def count_error(comparison: Comparison) -> float:
    """|predicted − true objects| / true objects; NaN where the truth is empty."""
    true, predicted = comparison.truth.objects, comparison.prediction.objects
    return abs(predicted - true) / true if true else math.nan
