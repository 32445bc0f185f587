"""References of cases, doubtful labels, empty masks, weights, and what is shown, not ranked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from score_tables import scores, settings, spots
from selma3d.ranking.described import agreement
from selma3d.ranking.track import rank_track
from selma3d.scoring.metrics import DESCRIBE
from selma3d.scoring.references import REFERENCE_COLUMNS

VOXELS = {"truth_voxels": 100.0, "truth_betti0": 10.0}


def references(*oracle_and_moved: tuple[float, float]) -> pd.DataFrame:
    rows = [
        {"structure": "cfos", "specimen": f"animal-{case}", "case": f"{case:03}"}
        | {"oracle_dice": oracle, "moved_dice": moved, "chance_centroid_f1": 0.1}
        for case, (oracle, moved) in enumerate(oracle_and_moved)
    ]
    return pd.DataFrame(rows, columns=list(REFERENCE_COLUMNS))


def with_rows(table: pd.DataFrame, **values: list[float]) -> pd.DataFrame:
    """The same with rows of "describe", a value a case."""
    first = table.drop_duplicates("case")
    added = [
        first.assign(metric_profile=DESCRIBE, metric=name, value=column)
        for name, column in values.items()
    ]
    return pd.concat([table, *added], ignore_index=True)


def ranked(*tables: pd.DataFrame, **details: object) -> dict[str, pd.DataFrame]:
    return rank_track(pd.concat(tables), settings(), track="per-type", **details)


def test_labels_are_doubtful_where_oracle_and_every_entrant_stay_below_the_moved_label() -> None:
    known = references((0.2, 0.6), (0.7, 0.6), (0.2, 0.6))
    entrants = [spots("unet", [0.3, 0.3, 0.3]), spots("other", [0.5, 0.1, 0.7])]
    tables = ranked(*entrants, references=known)
    assert tables["references"]["doubtful"].tolist() == [True, False, False]
    flagged = tables["cases"][tables["cases"]["doubtful"]]
    assert set(flagged["case"]) == {"000"} and len(flagged) == 2 * 2  # entrants × metrics


def test_labels_that_were_drawn_with_their_images_are_never_doubtful() -> None:
    given = {"track": "per-type", "references": references((0.2, 0.6))}
    tables = rank_track(spots("unet", [0.3]), settings(exact_labels=True), **given)
    assert tables["references"]["doubtful"].tolist() == [False]
    assert not tables["cases"]["doubtful"].any()


def test_best_and_median_entrant_of_a_case_are_named() -> None:
    entrants = [spots(name, [dice]) for name, dice in (("a", 0.3), ("b", 0.5), ("c", 0.4))]
    case = ranked(*entrants, references=references((0.9, 0.6)))["references"].iloc[0]
    assert (case["best_method"], case["best_dice"], case["median_dice"]) == ("b", 0.5, 0.4)
    assert case["entrants"] == 3


def test_no_reference_no_flag_and_no_further_metric_moves_a_rank() -> None:
    plain = [spots("unet", [0.3, 0.6]), spots("other", [0.5, 0.1])]
    described = [
        with_rows(plain[0], centroid_f1=[0.0, 0.0], truth_objects=[4, 4], predicted_objects=[0, 0]),
        with_rows(plain[1], centroid_f1=[1.0, 1.0], truth_objects=[4, 4], predicted_objects=[4, 4]),
    ]
    before, after = ranked(*plain), ranked(*described, references=references((0, 1), (0, 1)))
    for name in ("leaderboard", "by_metric", "bootstrap", "pairwise", "gains", "verdicts"):
        pd.testing.assert_frame_equal(before[name], after[name])
    assert not before["cases"]["doubtful"].any() and after["cases"]["doubtful"].any()


def test_a_pooled_score_weighs_cases_by_what_they_hold() -> None:
    unet = with_rows(
        spots("unet", [1.0, 0.5], facts=[{"truth_voxels": 10.0}, {"truth_voxels": 990.0}]),
        predicted_voxels=[10, 1010],
        centroid_f1=[1.0, 0.25],
        truth_objects=[1, 10],
        predicted_objects=[1, 30],
    )
    found = ranked(unet)["described"].set_index("metric")
    assert found.loc["dice", "mean"] == 0.75
    assert found.loc["dice", "pooled"] == pytest.approx((20 * 1 + 2000 * 0.5) / 2020)
    assert found.loc["centroid_f1", "pooled"] == pytest.approx((2 * 1 + 40 * 0.25) / 42)


def test_a_missing_prediction_is_an_empty_mask_in_pooled_scores_and_no_number_in_agreement() -> (
    None
):
    unet = with_rows(
        spots("unet", [0.8, np.nan], missing=[False, True], facts=[{"truth_voxels": 50.0}] * 2),
        predicted_voxels=[50, np.nan],
        truth_objects=[5, 5],
        predicted_objects=[6, np.nan],
    )
    tables = ranked(unet)
    dice = tables["described"].set_index("metric").loc["dice"]
    assert dice["pooled"] == pytest.approx(0.8 * 100 / 150)
    objects = tables["agreement"].set_index("quantity").loc["objects"]
    assert (objects["cases"], objects["missing"], objects["bias"]) == (1, 1, 1)


def test_bias_limits_and_concordance_equal_the_hand_worked_example() -> None:
    truth, predicted = np.array([10.0, 20, 30, 40]), np.array([12.0, 19, 33, 42])
    found = agreement(truth, predicted)
    assert found["bias"] == 1.5
    assert found["high"] - found["bias"] == pytest.approx(1.96 * np.std([2, -1, 3, 2], ddof=1))
    assert found["relative"] == pytest.approx(6 / 100)
    # Lin 1989: 2 r s s' / (s² + s'² + (difference of means)²), moments over n
    covariance = np.corrcoef(truth, predicted)[0, 1] * truth.std() * predicted.std()
    expected = 2 * covariance / (truth.var() + predicted.var() + 1.5**2)
    assert found["concordance"] == pytest.approx(expected)
    assert agreement(truth, truth)["concordance"] == pytest.approx(1)


def test_values_of_the_empty_mask_are_counted_and_said_and_keep_their_rank() -> None:
    facts = [{"truth_betti0": 4.0}, {"truth_betti0": 7.0}]
    dull = scores("dull", {"dice": [0.5, 0.5], "betti0_error": [4, 7]}, facts=facts)
    half = scores("half", {"dice": [0.5, 0.5], "betti0_error": [4, 9]}, facts=facts)
    tables = ranked(dull, half)
    of_betti = tables["by_metric"].query("metric == 'betti0_error'").set_index("method")
    assert of_betti["as_empty"].to_dict() == {"dull": 2, "half": 1}
    assert of_betti["rank"].to_dict() == {"dull": 1, "half": 2}
    notes = tables["leaderboard"].set_index("method")["note"]
    assert "Betti-0 error is the empty mask's in every case" in notes["dull"]
    assert "empty mask" not in notes["half"]


def test_an_empty_truth_has_no_degenerate_value() -> None:
    nothing = [dict.fromkeys(("truth_voxels", "truth_betti0"), 0.0)]
    right = scores("right", {"dice": [1.0], "betti0_error": [0.0]}, facts=nothing)
    assert not ranked(right)["by_metric"]["as_empty"].any()


def test_weights_follow_from_groups_structures_and_metrics() -> None:
    vessel = scores(
        "unet",
        {name: [0.5] for name in ("dice", "betti0_error", "betti1_error", "cldice")},
        structure="vessel",
        scored_as="vessel-like",
    )
    found = ranked(spots("unet", [0.5]), vessel)["weights"].set_index(["structure", "metric"])
    assert found.loc[("cfos", "dice"), "weight"] == 0.25
    assert found.loc[("vessel", "cldice"), "weight"] == 0.125
    assert found["weight"].sum() == pytest.approx(1)


@pytest.mark.parametrize("change", ["removed", "one case missing"])
def test_another_entrant_changes_nobody_s_shown_values(change: str) -> None:
    def entrant(name: str, dice: list[float], **details: object) -> pd.DataFrame:
        numbers = {"truth_objects": [4, 5], "predicted_objects": [5, 5], "centroid_f1": dice}
        return with_rows(spots(name, dice, **details), predicted_voxels=[9, 9], **numbers)

    own, other = entrant("unet", [0.3, 0.6]), entrant("other", [0.5, 0.1])
    known = references((0.2, 0.9), (0.7, 0.6))
    before = ranked(own, other, references=known)
    rest = [] if change == "removed" else [entrant("other", [0.5, np.nan], missing=[False, True])]
    after = ranked(own, *rest, references=known)
    for name in ("described", "agreement", "quantities"):
        kept = [t[name].query("method == 'unet'").reset_index(drop=True) for t in (before, after)]
        pd.testing.assert_frame_equal(*kept)
    counts = ["method", "metric", "mean", "as_empty"]
    kept = [t["by_metric"].query("method == 'unet'")[counts] for t in (before, after)]
    pd.testing.assert_frame_equal(*(k.reset_index(drop=True) for k in kept))
