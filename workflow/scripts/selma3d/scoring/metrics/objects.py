"""Objects found, missed and invented; see `matching` for what counts as found."""

from __future__ import annotations

import math

from .comparison import Comparison


def panoptic_quality_selma2026(comparison: Comparison) -> float:
    """SQ·RQ: mean Dice of matched pairs × TP/(TP + FP/2 + FN/2); NaN where both are empty."""
    matching = comparison.matching
    objects = matching.true_objects + matching.predicted_objects
    if not objects:
        return math.nan
    if not matching.matched:
        return 0.0
    return float(matching.dice.mean() * matching.matched / (objects / 2))


def panoptic_quality_robust(comparison: Comparison) -> float:
    """As `panoptic_quality_selma2026`, but 1 where both masks are empty."""
    quality = panoptic_quality_selma2026(comparison)
    return 1.0 if math.isnan(quality) else quality


def object_precision(comparison: Comparison) -> float:
    """Share of predicted objects that are matched; NaN where nothing is predicted."""
    matching = comparison.matching
    if not matching.predicted_objects:
        return math.nan
    return matching.matched / matching.predicted_objects


def object_recall(comparison: Comparison) -> float:
    """Share of true objects that are matched; NaN where the truth is empty."""
    matching = comparison.matching
    return matching.matched / matching.true_objects if matching.true_objects else math.nan


def count_error(comparison: Comparison) -> float:
    """|predicted − true objects| / true objects; NaN where the truth is empty."""
    true, predicted = comparison.truth.objects, comparison.prediction.objects
    return abs(predicted - true) / true if true else math.nan
