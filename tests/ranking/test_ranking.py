"""Claims about rules, leaderboard, bootstrap, pairwise tests and the ranking's stability."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from challenger_example import ideal_task, random_task, worst_case_task
from score_tables import scores, settings, spots
from selma3d.ranking.bootstrap import Bootstrap
from selma3d.ranking.discipline import Discipline
from selma3d.ranking.leaderboard import Ranks, rank
from selma3d.ranking.ranking_rules import RULES, competition_ranks, weighted_means
from selma3d.ranking.statistics import holm, signed_rank_p
from selma3d.ranking.tables import COLUMNS
from selma3d.ranking.track import rank_track
from selma3d.system.errors import InputError

unhurried = hypothesis_settings(deadline=None, max_examples=50)
grid = st.integers(0, 16).map(lambda k: k / 16)


def rank_spots(
    dice: Mapping[str, np.ndarray], details: Mapping[str, object] | None = None, **changes: object
) -> dict[str, pd.DataFrame]:
    """Rank methods by Dice on one structure; their Betti errors tie."""
    table = pd.concat(
        [spots(method, of_cases, **(details or {})) for method, of_cases in dice.items()]
    )
    return rank_track(table, settings(**changes), track="per-type")


def places(tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    return tables["leaderboard"].set_index("method")["place"].to_dict()


def dice_ranks(tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    by_metric = tables["by_metric"]
    return by_metric[by_metric["metric"] == "dice"].set_index("method")["rank"].to_dict()


def columns_of(values: np.ndarray) -> dict[str, np.ndarray]:
    """Methods A1, A2, … from the columns of a table (cases, methods)."""
    return {f"A{index + 1}": values[:, index] for index in range(values.shape[1])}


# challengeR's worked example


@pytest.mark.parametrize("rule", RULES)
def test_ideal_challenge_is_ranked_alike_by_all_rules(rule: str) -> None:
    tables = rank_spots(columns_of(ideal_task()), rule=rule)
    assert dice_ranks(tables) == {"A1": 1, "A2": 2, "A3": 3, "A4": 4, "A5": 5}
    assert places(tables) == {"A1": 1, "A2": 2, "A3": 3, "A4": 4, "A5": 5}
    bootstrap = tables["stability"].set_index("comparison").loc["bootstrap"]
    assert bootstrap[["tau_mean", "tau_low"]].tolist() == pytest.approx([1, 1])
    assert bootstrap["replicates"] == 100


def test_random_challenge_is_ranked_by_means_but_by_no_test() -> None:
    values = random_task()
    by_mean = dice_ranks(rank_spots(columns_of(values)))
    assert by_mean == {"A1": 1, "A2": 2, "A4": 3, "A5": 4, "A3": 5}
    tested = rank_spots(columns_of(values), rule="test-then-rank")
    assert set(dice_ranks(tested).values()) == {1}
    ranks = pd.DataFrame(values).rank(axis=1, ascending=False, method="min").mean()
    expected = ranks.rank(method="min").tolist()
    by_rank = dice_ranks(rank_spots(columns_of(values), rule="rank-then-mean"))
    assert [by_rank[f"A{index}"] for index in range(1, 6)] == expected
    assert values.mean(axis=0) == pytest.approx(
        [0.804680, 0.797521, 0.761481, 0.788407, 0.769741], abs=1e-6
    )


@pytest.mark.parametrize("rule", RULES)
def test_worst_case_challenge_ties_everybody(rule: str) -> None:
    assert set(places(rank_spots(columns_of(worst_case_task()), rule=rule)).values()) == {1}


# Rules


def test_ties_share_the_lowest_rank() -> None:
    ranks = competition_ranks(np.array([0.9, 0.7, 0.7, 0.1]), higher_is_better=True)
    assert ranks.tolist() == [1, 2, 2, 4]
    ranks = competition_ranks(np.array([3.0, 1.0, 1.0, 0.0]), higher_is_better=False)
    assert ranks.tolist() == [4, 2, 2, 1]


def test_floating_point_noise_breaks_no_tie() -> None:
    assert competition_ranks(np.array([0.3, 0.1 + 0.2]), higher_is_better=True).tolist() == [1, 1]


def test_undefined_replicate_ranks_nobody() -> None:
    assert np.isnan(competition_ranks(np.full((1, 3), np.nan), higher_is_better=True)).all()


def test_test_then_rank_counts_significant_wins() -> None:
    """A and B cannot be told apart, both beat C: ranks 1, 1, 3."""
    base = np.linspace(0.5, 0.6, 12)
    tables = rank_spots({"a": base + 0.3, "b": base[::-1] + 0.3, "c": base}, rule="test-then-rank")
    assert dice_ranks(tables) == {"a": 1, "b": 1, "c": 3}


def test_test_then_rank_tells_nobody_apart_with_five_specimens() -> None:
    tables = rank_spots({"a": np.full(5, 0.9), "b": np.full(5, 0.1)}, rule="test-then-rank")
    assert dice_ranks(tables) == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rule": "median"}, "rule: expected one of mean-then-rank, .*, found 'median'"),
        ({"groups_by": "colour"}, "groups_by: unknown key"),
        ({"bootstrap": 0}, "bootstrap: expected at least 1, found 0"),
    ],
)
def test_bad_setting_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rank_spots({"a": np.ones(2)}, **changes)


# Leaderboard


def vessels(method: str, **means: float) -> pd.DataFrame:
    values = {metric: [value] for metric, value in means.items()}
    return scores(method, values, structure="vessel", scored_as="vessel-like")


def hand_worked() -> pd.DataFrame:
    """Three methods, two groups; the ranks are worked out in the test that uses it."""
    return pd.concat(
        [
            scores("a", {"dice": [0.9], "betti0_error": [4]}),
            scores("b", {"dice": [0.8], "betti0_error": [2]}),
            scores("c", {"dice": [0.8], "betti0_error": [4]}),
            vessels("a", dice=0.5, betti0_error=1, betti1_error=7, cldice=0.5),
            vessels("b", dice=0.6, betti0_error=2, betti1_error=7, cldice=0.4),
            vessels("c", dice=0.7, betti0_error=3, betti1_error=9, cldice=0.6),
        ]
    )


def test_leaderboard_follows_the_hand_worked_example() -> None:
    """Spot-like: dice 1, 2, 2 and Betti-0 2, 1, 2. Vessel-like: 3, 2, 1; 1, 2, 3; 1, 1, 3; 2, 3, 1.

    Groups: spots 1.5, 1.5, 2; vessels 1.75, 2, 2. Means: 1.625, 1.75, 2.
    """
    leaderboard = rank_track(hand_worked(), settings(), track="per-type")["leaderboard"]
    leaderboard = leaderboard.set_index("method")
    assert leaderboard["rank spot-like"].to_dict() == {"a": 1.5, "b": 1.5, "c": 2}
    assert leaderboard["rank vessel-like"].to_dict() == {"a": 1.75, "b": 2, "c": 2}
    assert leaderboard["mean_rank"].to_dict() == {"a": 1.625, "b": 1.75, "c": 2}
    assert leaderboard["place"].to_dict() == {"a": 1, "b": 2, "c": 3}


def test_groups_by_name_weigh_groups_alike_whatever_they_hold() -> None:
    named = {"dense": ["cfos"], "sparse": ["vessel"]}
    leaderboard = rank_track(hand_worked(), settings(groups=named), track="per-type")["leaderboard"]
    assert leaderboard.set_index("method")["rank sparse"].to_dict() == {"a": 1.75, "b": 2, "c": 2}


def test_structure_in_two_groups_is_refused() -> None:
    named = {"dense": ["cfos"], "sparse": ["vessel", "cfos"]}
    with pytest.raises(InputError, match="'cfos' in one group"):
        rank_track(hand_worked(), settings(groups=named), track="per-type")


def test_structure_that_nobody_was_scored_on_is_said_in_every_row() -> None:
    named = {"spots": ["cfos"], "nerves": ["axon"]}
    tables = rank_track(hand_worked(), settings(groups=named), track="per-type")
    leaderboard = tables["leaderboard"]
    assert leaderboard["rank nerves"].isna().all()
    assert leaderboard["note"].str.contains("without axon, on which no entrant was scored").all()
    assert "axon" in tables["missing"]["structure"].tolist()
    assert leaderboard["mean_rank"].tolist() == leaderboard["rank spots"].tolist()


def test_only_the_whole_label_budget_is_ranked() -> None:
    table = pd.concat([spots("a", [0.5]), spots("b", [0.6]), spots("c", [0.9], budget="2")])
    tables = rank_track(table, settings(), track="per-type")
    assert places(tables) == {"b": 1, "a": 2}
    assert "c" in tables["curves"]["method"].tolist()


def test_only_the_profile_in_force_is_ranked() -> None:
    robust = [spots("a", [0.9], profile="robust"), spots("b", [0.1], profile="robust")]
    robust = [table[table["metric_profile"] == "robust"] for table in robust]
    table = pd.concat([spots("a", [0.5]), spots("b", [0.6]), *robust])
    assert places(rank_track(table, settings(), track="per-type")) == {"b": 1, "a": 2}


def test_only_the_track_asked_for_is_ranked() -> None:
    table = pd.concat([spots("a", [0.5]), spots("b", [0.6], track="one-model")])
    assert places(rank_track(table, settings(), track="per-type")) == {"a": 1}


def test_entrant_that_lacks_a_structure_is_last_there_and_it_is_said() -> None:
    table = hand_worked()
    table = table[~((table["method"] == "a") & (table["structure"] == "vessel"))]
    tables = rank_track(table, settings(), track="per-type")
    row = tables["leaderboard"].set_index("method").loc["a"]
    assert "no predictions for vessel: the worst value counts" in row["note"]
    assert row["missing"] == 1
    assert row["cases"] == 2
    by_metric = tables["by_metric"].set_index(["method", "structure", "metric"])
    assert by_metric.loc[("a", "vessel", "dice"), ["mean", "rank", "missing"]].tolist() == [0, 3, 1]
    gap = tables["missing"]
    assert gap[["method", "structure", "run"]].to_numpy().tolist() == [
        ["a", "vessel", "scratch-nall-f0-s0"]
    ]


def test_missing_undefined_and_dropped_are_counted_apart() -> None:
    vessel = {"structure": "vessel", "scored_as": "vessel-like", "profile": "selma2026"}
    facts = [{}, {}, {"truth_skeleton_voxels": 0}]
    nan = np.nan
    table = pd.concat(
        [
            scores("a", {"dice": [0.5] * 3, "cldice": [0.5, 0.5, nan]}, facts=facts, **vessel),
            scores(
                "b",
                {"dice": [0.5, nan, 0.5], "cldice": [nan, nan, nan]},
                facts=facts,
                missing=[False, True, False],
                **vessel,
            ),
        ]
    )
    tables = rank_track(table, settings(metric_profile="selma2026"), track="per-type")
    counts = ["cases", "missing", "nan_prediction", "dropped_truth"]
    leaderboard = tables["leaderboard"].set_index("method")
    assert leaderboard.loc["a", counts].tolist() == [3, 0, 0, 1]
    assert leaderboard.loc["b", counts].tolist() == [3, 1, 1, 1]
    assert "missing predictions: 1 (the worst value counts)" in leaderboard.loc["b", "note"]
    assert "undefined values: 1 (the worst value counts)" in leaderboard.loc["b", "note"]
    pairs = tables["pairwise"].set_index("metric")["note"]
    assert "worst values for missing or undefined ones: 1" in pairs["dice"]
    assert "worst values for missing or undefined ones: 2" in pairs["cldice"]
    by_metric = tables["by_metric"].set_index(["method", "metric"])
    assert by_metric.loc[("b", "cldice"), counts].tolist() == [2, 1, 1, 1]
    assert by_metric.loc[("b", "dice"), counts].tolist() == [3, 1, 0, 0]
    what = tables["missing"].set_index("case")["what"]
    assert what["000"] == "cldice undefined for this prediction: the worst value counts"
    assert what["001"] == "no prediction: the worst value counts"
    assert what["002"] == "cldice undefined for this truth: case dropped for all methods"


def test_expected_run_without_scores_is_listed_and_left_out() -> None:
    expected = pd.DataFrame(
        [
            ("a", "cfos", "scratch-nall-f0-s0", "per-type"),
            ("a", "cfos", "scratch-nall-f0-s1", "per-type"),
            ("a", "cfos", "scratch-nall-f0-s0-one", "one-model"),
            ("late", "cfos", "default", "per-type"),
        ],
        columns=["method", "structure", "run", "track"],
    )
    tables = rank_track(spots("a", [0.5]), settings(), track="per-type", expected=expected)
    assert tables["missing"][["method", "run", "what"]].to_numpy().tolist() == [
        ["a", "scratch-nall-f0-s1", "no scores of the run: left out of all means"],
        ["late", "default", "no scores of the run: left out of all means"],
    ]
    leaderboard = tables["leaderboard"]
    assert leaderboard["method"].tolist() == ["a"], "who has no scores at all is not ranked"
    assert "1 of its runs not scored on cfos: left out" in leaderboard["note"][0]


def test_misnamed_expected_run_is_refused() -> None:
    expected = pd.DataFrame([("a", "cfos", "run7")], columns=["method", "structure", "run"])
    with pytest.raises(InputError, match="a on cfos: run 'run7': expected"):
        rank_track(spots("a", [0.5]), settings(), track="per-type", expected=expected)


def discipline_of(values: np.ndarray) -> Discipline:
    """One discipline, values (cases, methods), each case an animal of its own."""
    cases, methods = values.shape
    return Discipline(
        structure="cfos",
        metric="dice",
        scored_as="spot-like",
        seen=True,
        known_specimens=True,
        entrants=tuple((f"m{index}", "scratch") for index in range(methods)),
        cases=tuple(f"{case:03}" for case in range(cases)),
        units=np.arange(cases),
        unit_names=tuple(f"animal-{case:03}" for case in range(cases)),
        values=values[:, :, None],
        seeds=np.ones(methods, int),
    )


def ranks_of(values: np.ndarray, rule: str, resampling: Bootstrap | None = None) -> Ranks:
    """Ranks in one discipline."""
    return rank([discipline_of(values)], {"spots": ["cfos"]}, rule, resampling)


@unhurried
@given(arrays(float, (7, 4), elements=grid), st.permutations(range(4)), st.sampled_from([*RULES]))
def test_renaming_methods_permutes_ranks(values: np.ndarray, order: list[int], rule: str) -> None:
    for resampling in (None, Bootstrap(0, 20)):
        before, after = (ranks_of(v, rule, resampling) for v in (values, values[:, order]))
        assert np.array_equal(before.mean_rank[:, order], after.mean_rank)
        assert np.array_equal(before.places[:, order], after.places)


@unhurried
@given(arrays(float, (7, 3), elements=grid), st.integers(-64, 64), st.sampled_from([*RULES]))
def test_adding_a_constant_to_one_metric_changes_no_rank(
    values: np.ndarray, constant: int, rule: str
) -> None:
    for resampling in (None, Bootstrap(0, 20)):
        before = ranks_of(values, rule, resampling)
        after = ranks_of(values + constant / 16, rule, resampling)
        assert np.array_equal(before.places, after.places)


@unhurried
@given(arrays(float, (1, 4), elements=grid), st.sampled_from([*RULES]))
def test_bootstrap_of_one_case_has_no_spread(values: np.ndarray, rule: str) -> None:
    once, replicates = ranks_of(values, rule), ranks_of(values, rule, Bootstrap(0, 20))
    assert (replicates.places == once.places).all()


# Bootstrap


def test_bootstrap_resamples_seeds_too() -> None:
    """One case, one seed each way: only resampled seeds can change the order."""
    table = pd.concat(
        [
            spots("a", [0.9], seed=0),
            spots("a", [0.1], seed=1),
            spots("b", [0.45]),
        ]
    )
    tables = rank_track(table, settings(), track="per-type")
    places_of_b = tables["bootstrap"].query("method == 'b'")["place"]
    assert set(places_of_b) == {1, 2}


def test_replicates_equal_explicit_resampling() -> None:
    """Means over the drawn specimens' cases and the drawn seeds, one replicate after another."""
    generator = np.random.default_rng(1)
    values = generator.random((6, 2, 3))
    values[:, 1, 1:] = np.nan  # the second method has one seed
    discipline = replace(
        discipline_of(values[:, :, 0]),
        units=np.array([0, 0, 1, 1, 1, 2]),
        unit_names=("x", "y", "z"),
        values=values,
        seeds=np.array([3, 1]),
    )
    resampling = Bootstrap(7, 40)
    means = resampling.replicate(
        discipline, lambda v, counts: weighted_means(v, discipline.units, counts)
    )
    for row, units, seeds in zip(
        means, resampling.unit_counts("cfos", 3), resampling.seed_counts(3), strict=True
    ):
        cases = np.repeat(np.arange(6), units[discipline.units].astype(int))
        drawn = np.repeat(np.arange(3), seeds)
        assert len(drawn) == 3
        assert row[0] == pytest.approx(values[cases, 0][:, drawn].mean())
        assert row[1] == pytest.approx(values[cases, 1, 0].mean())


def test_cases_of_a_specimen_are_drawn_together() -> None:
    """Two cases of each animal cancel out, so no bootstrap can tell the methods apart."""
    specimens = [f"animal-{case // 2}" for case in range(14)]
    dice = np.tile([0.4, 0.6], 7)
    tables = rank_spots({"a": dice, "b": dice[::-1]}, {"specimens": specimens})
    assert set(tables["bootstrap"]["place"]) == {1}
    separate = rank_spots({"a": dice, "b": dice[::-1]})
    assert set(separate["bootstrap"]["place"]) == {1, 2}


def test_ranking_is_a_function_of_its_arguments() -> None:
    values = columns_of(np.random.default_rng(0).random((8, 3)))
    first, again, other = rank_spots(values), rank_spots(values), rank_spots(values, seed=1)
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, again[name])
    assert not first["bootstrap"].equals(other["bootstrap"])


def test_another_method_changes_nobody_s_interval() -> None:
    values = columns_of(np.random.default_rng(0).random((8, 3)))
    few, more = rank_spots(values), rank_spots({**values, "z": np.zeros(8)})
    columns = ["method", "metric", "mean", "low", "high"]
    kept = more["by_metric"].query("method != 'z'")[columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(few["by_metric"][columns], kept)


def test_interval_holds_the_mean_and_places_are_whole() -> None:
    values = columns_of(np.random.default_rng(0).random((12, 3)))
    tables = rank_spots(values)
    by_metric = tables["by_metric"]
    assert (by_metric["low"] <= by_metric["mean"]).all()
    assert (by_metric["mean"] <= by_metric["high"]).all()
    leaderboard = tables["leaderboard"]
    assert (leaderboard["place_low"] <= leaderboard["place"]).all()
    assert (leaderboard["place"] <= leaderboard["place_high"]).all()
    assert (leaderboard[["place_low", "place_high"]] % 1 == 0).all().all()


# Few or unknown specimens


@pytest.mark.parametrize(
    ("specimens", "reason"),
    [
        ([f"animal-{case % 5}" for case in range(10)], "5 specimens, fewer than 6"),
        ([""] * 10, "specimens unknown, cases may share an animal (case level)"),
        (["", *(f"animal-{case}" for case in range(9))], "specimens unknown"),
    ],
)
def test_too_few_specimens_give_no_p_no_interval_and_a_reason(
    specimens: list[str], reason: str
) -> None:
    values = columns_of(np.random.default_rng(0).random((10, 3)))
    tables = rank_spots(values, {"specimens": specimens})
    leaderboard, pairs, by_metric = tables["leaderboard"], tables["pairwise"], tables["by_metric"]
    assert leaderboard[["place_low", "place_high"]].isna().all().all()
    assert by_metric[["low", "high"]].isna().all().all()
    assert by_metric["mean"].notna().all()
    assert pairs[["p", "p_holm"]].isna().all().all()
    assert pairs["difference"].notna().all()
    for note in (*leaderboard["note"], *pairs["note"]):
        assert reason in note
    bootstrap = tables["stability"].set_index("comparison").loc["bootstrap"]
    assert np.isnan(bootstrap["tau_low"]) and bootstrap["tau_mean"] < 1


def test_pairwise_tests_compare_specimen_means_with_holm() -> None:
    """24 cases of eight animals are eight pairs, not 24."""
    generator = np.random.default_rng(3)
    values = {name: generator.random(24) for name in "abc"}
    specimens = [f"animal-{case // 3}" for case in range(24)]
    pairs = rank_spots(values, {"specimens": specimens})["pairwise"].query("metric == 'dice'")
    means = {name: dice.reshape(8, 3).mean(axis=1) for name, dice in values.items()}
    expected = [signed_rank_p(means[a] - means[b]) for a, b in (("a", "b"), ("a", "c"), ("b", "c"))]
    assert pairs["p"].tolist() == pytest.approx(expected)
    assert pairs["p_holm"].tolist() == pytest.approx(holm(expected).tolist())
    assert pairs["specimens"].tolist() == [8, 8, 8]
    assert pairs["difference"].iloc[0] == pytest.approx(values["a"].mean() - values["b"].mean())


# Stability


def test_rules_are_compared_by_kendall_s_tau() -> None:
    """A outlier lifts b's mean above a's, though a is better in nine of ten cases."""
    a = np.full(10, 0.5)
    b = np.where(np.arange(10) == 0, 1.0, 0.49)
    tables = rank_spots({"a": a, "b": b})
    rules = tables["rules"].pivot(index="rule", columns="method", values="place")
    assert rules.loc["mean-then-rank"].tolist() == [2, 1]
    assert rules.loc["rank-then-mean"].tolist() == [1, 2]
    tau = tables["stability"].set_index("comparison")["tau_mean"]
    assert tau["mean-then-rank vs rank-then-mean"] == -1


def test_profile_quirk_that_changes_a_place_is_shown() -> None:
    """selma2024 gives an empty prediction a perfect clDice, robust gives it 0."""
    vessel = {"structure": "vessel", "scored_as": "vessel-like"}
    others = {"dice": [0.5] * 2, "betti0_error": [0] * 2, "betti1_error": [0] * 2}

    def both(method: str, quirky: list[float], robust: list[float]) -> pd.DataFrame:
        table = scores(method, {**others, "cldice": quirky}, **vessel)
        again = scores(method, {**others, "cldice": robust}, profile="robust", **vessel)
        return pd.concat([table, again[again["metric_profile"] == "robust"]])

    table = pd.concat([both("a", [1.0, 0.5], [0.0, 0.5]), both("b", [0.6, 0.6], [0.6, 0.6])])
    tables = rank_track(table, settings(), track="per-type")
    changes = tables["profiles"].set_index("metric")
    assert changes.loc["cldice", "cases":].tolist() == [2, 1, 4, 1]
    assert changes.loc["dice", "changed"] == 0
    moved = tables["profile_places"].set_index("method")
    assert moved["place_profile"].to_dict() == {"a": 1, "b": 2}
    assert moved["place_robust"].to_dict() == {"a": 2, "b": 1}
    tau = tables["stability"].set_index("comparison")["tau_mean"]
    assert tau["profile selma2024 vs robust"] == -1


# Tables at the edge


@pytest.mark.parametrize(
    ("dice", "expected"),
    [
        ({"a": np.array([0.5])}, {"a": 1}),
        ({"a": np.full(8, 0.5)}, {"a": 1}),
        (dict.fromkeys("abc", np.full(8, 0.5)), dict.fromkeys("abc", 1)),
        ({"a": np.zeros(1), "b": np.ones(1)}, {"b": 1, "a": 2}),
        ({"a": np.full(7, np.nan), "b": np.full(7, np.nan)}, {"a": 1, "b": 1}),
    ],
    ids=["one value", "one method", "constant", "one case", "all undefined"],
)
def test_degenerate_scores_neither_fail_nor_lie(
    dice: dict[str, np.ndarray], expected: dict[str, int]
) -> None:
    tables = rank_spots(dice)
    assert places(tables) == expected
    rules = tables["rules"].pivot(index="method", columns="rule", values="place")
    assert rules["rank-then-mean"].to_dict() == expected
    assert (rules["test-then-rank"] == 1).all(), "nothing here is significant"
    assert not (tables["pairwise"]["p"] < 0.05).any()
    taus = tables["stability"].query("comparison == 'bootstrap'")["tau_mean"]
    assert taus.isna().all() or taus.iloc[0] == pytest.approx(1)
    for name, columns in COLUMNS.items():
        assert tables[name].columns.tolist() == list(columns)


@pytest.mark.filterwarnings("error")
def test_track_without_scores_gives_empty_tables() -> None:
    nothing = spots("a", [0.5]).iloc[:0].astype(object)
    tables = rank_track(nothing, settings(), track="per-type")
    assert all(len(table) == 0 for name, table in tables.items() if name != "stability")
    for name, columns in COLUMNS.items():
        assert tables[name].columns.tolist() == list(columns)


def test_ranking_imports_no_torch(repository: Path) -> None:
    code = "import selma3d.ranking, sys; sys.exit('torch' in sys.modules)"
    library = repository / "workflow" / "scripts"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=library)
