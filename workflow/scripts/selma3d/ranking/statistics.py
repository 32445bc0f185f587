"""Tests, corrections and intervals that treat the specimen as the unit of independence.

Cases of one animal are not independent, and neither are the seeds of one method: both are averaged
within a specimen before anything here is called. Fewer than six specimens cannot reach p < 0.05 in
a two-sided signed-rank test and give intervals that mean nothing: then all specimens are shown
instead, and `too_few` gives the reason.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

MINIMUM_SPECIMENS = 6
EXACT_UP_TO = 50  # differences
ROUNDING = 9  # decimals; smaller differences are noise of floating-point means, not differences

Floats = NDArray[np.float64]


def too_few(specimens: int, *, known: bool) -> str:
    """Why there is no p-value and no interval; empty where there are enough specimens.

    With unknown specimens (`known` false) the cases may all be of one animal: their number proves
    nothing.
    """
    if not known:
        return "specimens unknown, cases may share an animal (case level): no p-value, no interval"
    if specimens < MINIMUM_SPECIMENS:
        plural = "specimen" if specimens == 1 else "specimens"
        return f"{specimens} {plural}, fewer than {MINIMUM_SPECIMENS}: no p-value, no interval"
    return ""


def signed_rank_p(differences: ArrayLike) -> float:
    """Two-sided p of the Wilcoxon signed-rank test; 1 where no difference is left.

    Zero differences are removed (Wilcoxon's way). Exact up to 50 differences, ties included, for
    which SciPy has only permutations; above, SciPy's normal approximation with continuity
    correction.
    """
    differences = np.round(np.asarray(differences, float), ROUNDING)
    differences = differences[differences != 0]
    if differences.size == 0:
        return 1.0
    if differences.size > EXACT_UP_TO:
        return float(stats.wilcoxon(differences, correction=True, method="asymptotic").pvalue)
    doubled_ranks = (2 * stats.rankdata(np.abs(differences))).astype(int)  # midranks are halves
    null = _rank_sum_distribution(doubled_ranks)
    observed = doubled_ranks[differences > 0].sum()
    return float(min(1.0, 2 * min(null[: observed + 1].sum(), null[observed:].sum())))


def _rank_sum_distribution(ranks: NDArray[np.int64]) -> Floats:
    """Probabilities of the sums 0, 1, ... of the positive ranks if every sign is a fair coin."""
    probabilities = np.ones(1)
    for rank in ranks:
        negative = np.pad(probabilities, (0, rank))
        positive = np.pad(probabilities, (rank, 0))
        probabilities = (negative + positive) / 2
    return probabilities


def superiority_p(values: Floats, weights: Floats) -> Floats:
    """One-sided p that each column's values are the greater ones, for many weightings at once.

    values: (units, columns); weights: (replicates, units), how often each unit was drawn.
    Returns (replicates, columns, columns): [r, a, b] tests a > b; 1 on the diagonal and where a
    pair has no difference.
    Wilcoxon signed-rank, normal approximation with continuity and tie correction: what R's
    `wilcox.test(exact = FALSE)`, and so challengeR, computes; resampled units are always tied.
    """
    columns = values.shape[1]
    p = np.ones((len(weights), columns, columns))
    for a in range(columns):
        for b in range(a):
            differences = np.round(values[:, a] - values[:, b], ROUNDING)
            p[:, a, b], p[:, b, a] = _weighted_signed_rank(differences, weights)
    return p


def _weighted_signed_rank(differences: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """P-values of "greater" and "less" where unit u stands `weights[:, u]` times in the sample."""
    sizes = np.abs(differences)
    distinct, group = np.unique(sizes[sizes > 0], return_inverse=True)
    nonzero = weights[:, sizes > 0]
    positive = differences[sizes > 0] > 0
    membership = np.eye(len(distinct))[group]  # (units, tie groups)
    tied = nonzero @ membership
    above = (nonzero * positive) @ membership
    middle_ranks = np.cumsum(tied, axis=1) - (tied - 1) / 2
    rank_sum = (above * middle_ranks).sum(axis=1)
    n = tied.sum(axis=1)
    variance = n * (n + 1) * (2 * n + 1) / 24 - (tied**3 - tied).sum(axis=1) / 48
    centred = rank_sum - n * (n + 1) / 4
    spread = np.sqrt(np.where(variance > 0, variance, np.inf))
    greater = stats.norm.sf((centred - 0.5) / spread)
    less = stats.norm.cdf((centred + 0.5) / spread)
    return np.where(n > 0, greater, 1.0), np.where(n > 0, less, 1.0)


def holm(p: ArrayLike) -> Floats:
    """Holm's step-down correction along the last axis; NaN stays NaN and counts as no test.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    p = np.asarray(p, float)
    order = np.argsort(p, axis=-1)  # NaN last
    ordered = np.take_along_axis(p, order, axis=-1)
    tests = np.count_nonzero(~np.isnan(p), axis=-1, keepdims=True)
    factors = tests - np.arange(p.shape[-1])
    adjusted = np.minimum(np.maximum.accumulate(ordered * factors, axis=-1), 1.0)
    result = np.empty_like(p)
    np.put_along_axis(result, order, adjusted, axis=-1)
    return result


def percentile_interval(replicates: Floats) -> tuple[Floats, Floats]:
    """The 2.5th and 97.5th percentile of bootstrap replicates; NaN replicates are left out."""
    if np.isnan(replicates).all():
        nothing = np.full(replicates.shape[1:], np.nan)
        return nothing, nothing
    low, high = np.nanpercentile(replicates, [2.5, 97.5], axis=0)
    return low, high


def kendall_tau(places: ArrayLike, others: ArrayLike) -> float:
    """Kendall's tau-b of two rankings; NaN where all entrants share one place."""
    places, others = np.asarray(places), np.asarray(others)
    if len(places) < 2 or np.ptp(places) == 0 or np.ptp(others) == 0:
        return float("nan")
    return float(stats.kendalltau(places, others).statistic)
