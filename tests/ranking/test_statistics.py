"""Claims about tests, corrections and intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from selma3d.ranking.statistics import (
    holm,
    kendall_tau,
    percentile_interval,
    signed_rank_p,
    superiority_p,
    too_few,
)

unhurried = hypothesis_settings(deadline=None, max_examples=50)
grid = st.integers(-40, 40).map(lambda k: k / 8)


def test_six_specimens_that_all_improve_reach_significance_and_five_do_not() -> None:
    assert signed_rank_p([1, 2, 3, 4, 5, 6]) == pytest.approx(2 / 2**6)
    assert signed_rank_p([1, 2, 3, 4, 5]) == pytest.approx(2 / 2**5)


def test_signed_rank_p_is_exact_with_ties() -> None:
    """Differences 1, 1, 1, -1: every sign pattern is equally likely, 10 of 16 are as extreme."""
    assert signed_rank_p([1, 1, 1, -1]) == pytest.approx(10 / 16)


@unhurried
@given(arrays(float, st.integers(1, 9), elements=grid))
def test_signed_rank_p_equals_scipy_by_permutation(differences: np.ndarray) -> None:
    left = differences[differences != 0]
    expected = stats.wilcoxon(left, method="auto").pvalue if left.size else 1.0
    assert signed_rank_p(differences) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("number", [15, 50, 80])
def test_signed_rank_p_equals_scipy_without_ties(number: int) -> None:
    differences = np.random.default_rng(number).normal(0.2, 1, number)
    expected = stats.wilcoxon(differences, correction=True).pvalue
    assert signed_rank_p(differences) == pytest.approx(expected, abs=1e-12)


def test_equal_methods_have_p_one() -> None:
    assert signed_rank_p(np.zeros(8)) == 1.0
    assert signed_rank_p(np.full(8, 1e-15)) == 1.0, "floating-point noise is no difference"


@unhurried
@given(arrays(float, (12, 3), elements=grid), arrays(int, 12, elements=st.integers(0, 3)))
def test_superiority_p_counts_a_unit_drawn_twice_as_two_units(
    values: np.ndarray, counts: np.ndarray
) -> None:
    weighted = superiority_p(values, counts[None].astype(float))
    repeated = np.repeat(values, counts, axis=0)
    assert np.allclose(weighted, superiority_p(repeated, np.ones((1, len(repeated)))))


def test_superiority_p_equals_scipy_s_normal_approximation() -> None:
    values = np.random.default_rng(2).integers(0, 9, (30, 2)).astype(float)
    differences = values[:, 0] - values[:, 1]
    expected = stats.wilcoxon(
        differences[differences != 0],
        alternative="greater",
        correction=True,
        method="asymptotic",
    ).pvalue
    p = superiority_p(values, np.ones((1, 30)))[0]
    assert p[0, 1] == pytest.approx(expected)
    assert p[0, 1] + p[1, 0] > 1, "continuity correction is against both directions"


def test_superiority_p_decides_challenger_s_own_four_case_example_as_it_does() -> None:
    """Its tests expect 1.0 on four cases to beat 0.2 at 5 %, and two cases to decide nothing."""
    four = superiority_p(np.tile([0.2, 1.0], (4, 1)), np.ones((1, 4)))[0]
    two = superiority_p(np.tile([0.6, 0.8], (2, 1)), np.ones((1, 2)))[0]
    assert four[1, 0] == pytest.approx(stats.norm.sf(4.5 / 2.5)) and four[1, 0] < 0.05
    assert four[0, 1] > 0.95
    assert two[1, 0] > 0.05


def test_holm_follows_the_hand_worked_example() -> None:
    adjusted = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_counts_only_tests_that_were_made() -> None:
    adjusted = holm([0.02, np.nan, 0.03])
    assert adjusted[[0, 2]] == pytest.approx([0.04, 0.04])
    assert np.isnan(adjusted[1])


@unhurried
@given(arrays(float, st.integers(0, 8), elements=st.floats(0, 1)))
def test_holm_never_lowers_a_p_nor_exceeds_bonferroni(p: np.ndarray) -> None:
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, p * len(p)) + 1e-15).all()


def test_interval_leaves_undefined_replicates_out() -> None:
    replicates = np.array([[1.0], [np.nan], [3.0]])
    low, high = percentile_interval(replicates)
    assert 1 <= low[0] < high[0] <= 3
    assert np.isnan(percentile_interval(np.full((3, 2), np.nan))).all()


def test_kendall_tau_of_equal_opposite_and_tied_rankings() -> None:
    assert kendall_tau([1, 2, 3], [1, 2, 3]) == 1
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == -1
    assert np.isnan(kendall_tau([1, 1, 1], [1, 2, 3])), "a ranking that ties all has no order"
    assert np.isnan(kendall_tau([1], [1]))


def test_reason_for_no_p_value_names_the_specimens() -> None:
    assert too_few(6, known=True) == ""
    assert too_few(5, known=True).startswith("5 specimens, fewer than 6")
    assert too_few(1, known=True).startswith("1 specimen, ")
    assert "case level" in too_few(40, known=False)
