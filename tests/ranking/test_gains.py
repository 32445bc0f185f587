"""Claims about what pretraining gains, learning curves, and seen against unseen structures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from score_tables import scores, settings, spots
from selma3d.ranking.crossed_effects import GainGrid, mean_gain
from selma3d.ranking.track import rank_track


def tables_of(*scored: pd.DataFrame, **changes: object) -> dict[str, pd.DataFrame]:
    return rank_track(pd.concat(scored), settings(**changes), track="per-type")


def pair(
    scratch: Sequence[float], masked: Sequence[float], **details: object
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A run of method `unet` from scratch and its pretrained twin."""
    return (
        spots("unet", scratch, init="scratch", **details),
        spots("unet", masked, init="masked", **details),
    )


def dice_gain(
    tables: dict[str, pd.DataFrame], init: str = "masked", budget: str = "all"
) -> pd.Series:
    gains = tables["gains"]
    chosen = gains[
        (gains["metric"] == "dice") & (gains["init"] == init) & (gains["budget"] == budget)
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_gain_follows_the_hand_worked_example() -> None:
    """Animal x: cases gain 0.1 and 0.3, mean 0.2; animal y: case loses 0.1. Mean of both 0.05."""
    gain = dice_gain(tables_of(*pair([0.5, 0.5, 0.5], [0.6, 0.8, 0.4], specimens=["x", "x", "y"])))
    assert gain["gain"] == pytest.approx(0.05)
    assert gain["scratch"] == pytest.approx(0.5)
    assert gain["pretrained"] == pytest.approx(0.55)
    assert gain[["specimens", "cases", "seeds"]].tolist() == [2, 3, 1]
    assert gain["note"] == "one training an arm: no interval"
    assert gain[["low", "high", "p"]].isna().all()


def test_every_seed_of_every_specimen_is_listed() -> None:
    tables = tables_of(*pair([0.5, 0.4], [0.6, 0.6], seed=0), *pair([0.5, 0.5], [0.4, 0.5], seed=3))
    listed = tables["gains_by_specimen"].query("metric == 'dice'")
    assert listed[["specimen", "seed"]].to_numpy().tolist() == [
        ["animal-0", 0],
        ["animal-0", 3],
        ["animal-1", 0],
        ["animal-1", 3],
    ]
    assert listed["gain"].tolist() == pytest.approx([0.1, -0.1, 0.2, 0.0])
    assert dice_gain(tables)["gain"] == pytest.approx(0.05)
    assert dice_gain(tables)["seeds"] == 2


def test_lower_error_is_better_though_its_gain_is_negative() -> None:
    tables = tables_of(
        scores("unet", {"dice": [0.5] * 2, "betti0_error": [9, 4]}),
        scores("unet", {"dice": [0.5] * 2, "betti0_error": [5, 4]}, init="masked"),
    )
    gains = tables["gains"].set_index("metric")
    assert gains["gain"].to_dict() == {"betti0_error": -2, "dice": 0}


def test_pairs_share_budget_fold_and_seed() -> None:
    tables = tables_of(
        *pair([0.2], [0.3], budget="2"),
        *pair([0.5], [0.6], seed=0),
        spots("unet", [0.9], init="scratch", seed=1),
    )
    assert dice_gain(tables, budget="2")["gain"] == pytest.approx(0.1)
    whole = dice_gain(tables)
    assert whole["gain"] == pytest.approx(0.1), "seed 1 has no partner"
    assert "runs without a partner, left out: 1" in whole["note"]


def test_scratch_long_is_compared_with_scratch_like_a_pretext() -> None:
    tables = tables_of(*pair([0.5] * 6, [0.7] * 6), spots("unet", [0.6] * 6, init="scratch-long"))
    assert dice_gain(tables, "scratch-long")["gain"] == pytest.approx(0.1)
    assert dice_gain(tables)["gain"] == pytest.approx(0.2)


def test_other_methods_scratch_is_no_partner() -> None:
    tables = tables_of(
        spots("unet", [0.5], init="masked"),
        spots("swin", [0.5], init="scratch"),
        spots("threshold", [0.5], init="default"),
    )
    assert tables["gains"].empty and tables["gains_by_specimen"].empty


def test_structure_that_one_side_lacks_has_no_gain() -> None:
    """The worst value punishes in the leaderboard; it is no measurement of pretraining."""
    tables = tables_of(*pair([0.5], [0.6]), spots("unet", [0.5], structure="nucleus"))
    assert set(tables["gains"]["structure"]) == {"cfos"}
    assert set(tables["gains_by_specimen"]["structure"]) == {"cfos"}


def test_gain_from_a_missing_prediction_is_marked() -> None:
    nothing = {"dice": [np.nan, 0.5], "betti0_error": [np.nan, 0]}
    tables = tables_of(
        scores("unet", nothing, missing=[True, False]), spots("unet", [0.6, 0.6], init="masked")
    )
    assert dice_gain(tables)["gain"] == pytest.approx(0.35)
    assert "pairs with worst values for missing or undefined ones: 1" in dice_gain(tables)["note"]


@pytest.mark.parametrize("metric", ["dice", "betti0_error"])
def test_interval_and_p_are_those_of_crossed_specimens_and_seeds(metric: str) -> None:
    scratch, masked = np.random.default_rng(5).random((2, 3, 8))
    specimens = [f"animal-{case // 2}" for case in range(8)]
    runs = []
    for seed in range(3):
        for init, values in (("scratch", scratch[seed]), ("masked", masked[seed])):
            both = {"dice": values, "betti0_error": values}
            runs.append(scores("unet", both, init=init, seed=seed, specimens=specimens))
    gain = tables_of(*runs)["gains"].set_index("metric").loc[metric]
    of_specimens = (masked - scratch).T.reshape(4, 2, 3).mean(axis=1)
    expected = mean_gain([GainGrid("cfos", "cfos", ("0", "1", "2", "3"), (0, 1, 2), of_specimens)])
    assert gain["gain"] == pytest.approx(expected.gain), "in units of the metric"
    assert gain[["low", "high"]].tolist() == pytest.approx(expected.interval())
    assert gain["p"] == pytest.approx(expected.p)
    spreads = gain[["specimen_sd", "training_sd", "rest_sd"]].tolist()
    of_effects = [expected.specimen_sd, expected.training_sd, expected.rest_sd]
    assert spreads == pytest.approx(of_effects)
    assert gain["note"] == ""


def test_interval_widens_when_seeds_disagree() -> None:
    base, noise = np.linspace(0.3, 0.5, 8), 0.01 * np.sin(np.arange(8))
    agree = tables_of(*pair(base, base + 0.1 + noise, seed=0), *pair(base, base + 0.1, seed=1))
    disagree = tables_of(*pair(base, base + noise, seed=0), *pair(base, base + 0.2, seed=1))
    assert dice_gain(agree)["gain"] == pytest.approx(dice_gain(disagree)["gain"])
    narrow, wide = (gain["high"] - gain["low"] for gain in map(dice_gain, (agree, disagree)))
    assert wide > 5 * narrow


def test_unknown_specimens_have_an_interval_over_trainings_and_are_listed_by_case() -> None:
    unknown = {"specimens": [""] * 9}
    tables = tables_of(
        *pair([0.5] * 9, [0.6] * 9, seed=0, **unknown),
        *pair([0.5] * 9, [0.7] * 9, seed=1, **unknown),
    )
    gain = dice_gain(tables)
    assert gain["specimens"] == 0
    assert gain["note"] == "specimens unknown: the interval is over trainings only, on these cases"
    assert gain["degrees"] == pytest.approx(1)
    assert tables["gains_by_specimen"]["specimen"].iloc[0] == "case 000"


def test_another_entrant_changes_no_gain() -> None:
    own = [*pair([0.5, 0.4], [0.6, 0.7], seed=0), *pair([0.5, 0.4], [0.6, 0.6], seed=1)]
    others = [
        *(spots("swin", [0.1, 0.9], seed=s) for s in (0, 1)),
        spots("unet", [0.2], init="byol"),
    ]
    alone, together = dice_gain(tables_of(*own)), dice_gain(tables_of(*own, *others))
    pd.testing.assert_series_equal(alone, together, check_names=False)


def test_verdicts_are_given_on_what_was_declared_and_on_nothing_else() -> None:
    runs = [run for seed in range(3) for run in pair([0.5, 0.4], [0.6, 0.5 + seed / 50], seed=seed)]
    assert tables_of(*runs)["verdicts"].empty
    primary = {"method": "unet", "pretext": "masked", "structures": ["cfos"]}
    verdicts = tables_of(*runs, analysis={"primary": primary}, targets={"cfos": "spots"})[
        "verdicts"
    ]
    assert verdicts["endpoint"].tolist() == ["primary"]
    assert verdicts["gain"].iloc[0] == pytest.approx(dice_gain(tables_of(*runs))["gain"])


def test_curve_runs_over_budgets_in_order_of_patches() -> None:
    tables = tables_of(
        spots("unet", [0.2, 0.4], budget="16"),
        spots("unet", [0.1, 0.1], budget="2"),
        spots("unet", [0.5, 0.7]),
        training_patches={"cfos": 18},
    )
    curve = tables["curves"].query("metric == 'dice'")
    assert curve["budget"].tolist() == ["2", "16", "all"]
    assert curve["patches"].tolist() == [2, 16, 18]
    assert curve["mean"].tolist() == pytest.approx([0.1, 0.3, 0.6])
    assert curve["low"].isna().all(), "two specimens give no interval"


def test_unknown_size_of_the_whole_budget_is_nan() -> None:
    assert tables_of(spots("unet", [0.5]))["curves"]["patches"].isna().all()


def test_gap_is_seen_minus_unseen_and_each_structure_counts_once() -> None:
    tables = tables_of(
        spots("unet", [0.8] * 3, structure="cfos"),
        spots("unet", [0.6], structure="plaque"),
        spots("unet", [0.5] * 2, structure="plaque-unseen", seen=False),
        groups={"spot-like": ["cfos", "plaque"]},
    )
    gap = tables["gap"].set_index("metric").loc["dice"]
    assert gap[["seen_mean", "unseen_mean", "gap"]].tolist() == pytest.approx([0.7, 0.5, 0.2])
    assert tables["leaderboard"]["cases"].tolist() == [4], "a left-out twin is not ranked"


def test_another_acquisition_is_no_unseen_structure() -> None:
    tables = tables_of(
        spots("unet", [0.8], structure="cfos"),
        spots("unet", [0.5], structure="plaque", seen=False),
        spots("unet", [0.7], structure="cfos-other", seen=False),
        groups={"spot-like": ["cfos", "plaque", "cfos-other"]},
        other_acquisitions=["cfos-other"],
    )
    gap = tables["gap"].set_index(["metric", "side"]).loc["dice"]
    assert gap["unseen_mean"].to_dict() == pytest.approx({"unseen": 0.5, "other acquisition": 0.7})
    assert gap["seen_mean"].tolist() == pytest.approx([0.8, 0.8])


def test_without_unseen_structures_there_is_no_gap() -> None:
    assert tables_of(spots("unet", [0.5]))["gap"].empty
