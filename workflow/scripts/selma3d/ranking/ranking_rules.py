"""Ranking rules: how the case values of one discipline become ranks.

Every rule takes case values (cases, entrants) and counts (replicates, units), how often each unit
(specimen) stands in each replicate, and returns ranks (replicates, entrants): 1 is best, ties take
the lowest rank (1, 2, 2, 4). A replicate in which no unit has a case gives no ranks (NaN).
The rules are those of challengeR (Wiesenfarth et al. 2021, doi 10.1038/s41598-021-82017-6).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .discipline import Discipline, Floats, means_of_units
from .statistics import ROUNDING, holm, superiority_p

SIGNIFICANCE = 0.05


def competition_ranks(values: Floats, *, higher_is_better: bool) -> Floats:
    """Rank along the last axis; values within 1e-9 of their neighbour tie; NaN rows stay NaN."""
    keys = -values if higher_is_better else values
    order = np.argsort(keys, axis=-1, kind="stable")
    ordered = np.take_along_axis(keys, order, axis=-1)
    leads = np.ones(ordered.shape, bool)
    leads[..., 1:] = np.diff(ordered, axis=-1) > 10.0**-ROUNDING
    places = np.where(leads, np.arange(1, values.shape[-1] + 1), 0)
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, np.maximum.accumulate(places, axis=-1), axis=-1)
    return np.where(np.isnan(values), np.nan, ranks)


def weighted_means(values: Floats, units: NDArray[np.int64], counts: Floats) -> Floats:
    """(replicates, entrants): means over cases, each as often as its unit was drawn."""
    weights = counts[:, units]
    with np.errstate(invalid="ignore"):
        return weights @ values / weights.sum(axis=1, keepdims=True)


def by_mean(discipline: Discipline, values: Floats, counts: Floats) -> Floats:
    """Rank the means over cases."""
    means = weighted_means(values, discipline.units, counts)
    return competition_ranks(means, higher_is_better=discipline.higher_is_better)


def by_mean_rank(discipline: Discipline, values: Floats, counts: Floats) -> Floats:
    """Rank within every case, then rank the mean ranks."""
    case_ranks = competition_ranks(values, higher_is_better=discipline.higher_is_better)
    means = weighted_means(case_ranks, discipline.units, counts)
    return competition_ranks(means, higher_is_better=False)


def by_significant_wins(discipline: Discipline, values: Floats, counts: Floats) -> Floats:
    """Rank by the number of entrants that each one is significantly better than.

    One-sided Wilcoxon signed-rank tests on specimen means, Holm over all ordered pairs. With fewer
    than six specimens nothing can be told apart, and all share the first rank.
    """
    if not discipline.enough_specimens:
        return np.ones((len(counts), values.shape[1]))
    sign = 1 if discipline.higher_is_better else -1
    means = means_of_units(sign * values, discipline.units, len(discipline.unit_names))
    present = ~np.isnan(means).any(axis=1)
    p = superiority_p(means[present], counts[:, present])
    pairs = ~np.eye(values.shape[1], dtype=bool)
    significant = np.zeros(p.shape, bool)
    significant[:, pairs] = holm(p[:, pairs]) <= SIGNIFICANCE
    return competition_ranks(significant.sum(axis=2).astype(float), higher_is_better=True)


Rule = Callable[[Discipline, Floats, Floats], Floats]
RULES: dict[str, Rule] = {
    "mean-then-rank": by_mean,
    "rank-then-mean": by_mean_rank,
    "test-then-rank": by_significant_wins,
}
