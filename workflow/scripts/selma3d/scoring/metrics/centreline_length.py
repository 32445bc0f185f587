"""Length of centrelines."""

from __future__ import annotations

import math

from .comparison import Comparison


def length_error(comparison: Comparison) -> float:
    """|L(P) − L(G)| / L(G), L being the skeleton's length.

    NaN where the truth's skeleton is empty or of lone voxels, which have no length.
    """
    true = comparison.truth.skeleton_graph.length(comparison.spacing)
    predicted = comparison.prediction.skeleton_graph.length(comparison.spacing)
    return abs(predicted - true) / true if true else math.nan
