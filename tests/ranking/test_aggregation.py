"""Claims about undefined and missing values, specimens, and the averages over seeds and folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from score_tables import scores, spots
from selma3d.ranking.aggregation import case_values, settle
from selma3d.scoring.score_tables import TrackScores, read_scores
from selma3d.system import atomic
from selma3d.system.errors import InputError

VESSELS = {"structure": "vessel", "scored_as": "vessel-like"}


def track(*tables: pd.DataFrame) -> TrackScores:
    return TrackScores.of(pd.concat(tables, ignore_index=True), "per-type")


def vessels_of_2026(method: str, cldice: list[float], **details: object) -> pd.DataFrame:
    values = {"dice": np.full(len(cldice), 0.5), "cldice": cldice}
    return scores(method, values, profile="selma2026", **VESSELS, **details)


def value_of(values: pd.DataFrame, method: str, case: str, metric: str) -> pd.Series:
    row = values[
        (values["method"] == method) & (values["case"] == case) & (values["metric"] == metric)
    ]
    assert len(row) == 1
    return row.iloc[0]


def test_nan_by_the_prediction_takes_the_worst_value() -> None:
    settled = settle(track(vessels_of_2026("a", [np.nan, 0.8])), "selma2026")
    row = value_of(settled.values, "a", "000", "cldice")
    assert (row["value"], row["fault"]) == (0.0, "nan_prediction")
    assert settled.dropped.empty


def test_nan_by_the_truth_drops_the_case_in_that_metric_for_all_methods() -> None:
    empty_skeleton = [{"truth_skeleton_voxels": 0}, {}]
    settled = settle(
        track(
            vessels_of_2026("a", [np.nan, 0.8], facts=empty_skeleton),
            vessels_of_2026("b", [0.9, 0.7], facts=empty_skeleton),
        ),
        "selma2026",
    )
    left = settled.values[settled.values["metric"] == "cldice"]
    assert set(left["case"]) == {"001"}
    assert set(left["method"]) == {"a", "b"}
    assert settled.dropped.to_dict("records") == [
        {"structure": "vessel", "case": "000", "metric": "cldice"}
    ]
    assert len(settled.values[settled.values["metric"] == "dice"]) == 4, "other metrics keep it"


def test_missing_prediction_has_the_empty_masks_betti_error() -> None:
    nothing = [np.nan, np.nan]
    prediction = scores(
        "a",
        {"dice": nothing, "betti0_error": nothing},
        facts=[{"truth_betti0": 31}, {"truth_betti0": 7}],
        missing=[True, True],
    )
    settled = settle(track(prediction), "selma2024")
    row = value_of(settled.values, "a", "000", "betti0_error")
    assert (row["value"], row["fault"]) == (31, "missing")
    assert value_of(settled.values, "a", "001", "betti0_error")["value"] == 7
    assert value_of(settled.values, "a", "001", "dice")["value"] == 0


def test_missing_prediction_has_the_same_value_whoever_else_takes_part() -> None:
    specks = scores("a", {"dice": [0.6], "betti0_error": [144.0]}, facts=[{"truth_betti0": 5}])
    nothing = {"dice": [np.nan], "betti0_error": [np.nan]}
    absent = scores("b", nothing, facts=[{"truth_betti0": 5}], missing=[True])
    for others in ((), (specks,)):
        settled = settle(track(absent, *others), "selma2024")
        assert value_of(settled.values, "b", "000", "betti0_error")["value"] == 5
        assert value_of(settled.values, "b", "000", "dice")["value"] == 0


def test_case_that_only_others_have_is_missing() -> None:
    settled = settle(track(spots("a", [0.5, 0.6]), spots("b", [0.5])), "selma2024")
    row = value_of(settled.values, "b", "001", "dice")
    assert (row["value"], row["fault"]) == (0, "missing")


def test_entrant_without_a_ranked_structure_has_its_worst_values_there() -> None:
    scored = track(spots("a", [0.5]), spots("b", [0.6]), spots("a", [0.7], structure="nucleus"))
    settled = settle(scored, "selma2024", ranked={"cfos", "nucleus"})
    absent = settled.values[settled.values["absent"]]
    assert set(absent["method"]) == {"b"} and set(absent["structure"]) == {"nucleus"}
    assert absent.set_index("metric")["value"].to_dict() == {"dice": 0, "betti0_error": 10}
    unranked = settle(scored, "selma2024", ranked={"cfos"})
    assert not unranked.values["absent"].any(), "nobody owes a structure that is not ranked"


def test_undefined_value_without_truth_facts_is_an_error() -> None:
    table = vessels_of_2026("a", [np.nan, 0.8])
    table = table[table["metric"] != "truth_skeleton_voxels"]
    with pytest.raises(InputError, match=r"cldice of case '000' of vessel.*score the case again"):
        settle(track(table), "selma2026")


def test_metric_that_was_not_scored_is_an_error_not_a_missing_prediction() -> None:
    table = spots("a", [0.5])
    table = table[table["metric"] != "betti0_error"]
    with pytest.raises(InputError, match="betti0_error of a scratch-nall-f0-s0 on cfos"):
        settle(track(table), "selma2024")


def test_folds_are_averaged_within_a_seed_and_seeds_within_a_case() -> None:
    scored = track(
        spots("a", [0.1], seed=0, fold=0),
        spots("a", [0.3], seed=0, fold=1),
        spots("a", [0.8], seed=1, fold=0),
    )
    cases = case_values(settle(scored, "selma2024").values)
    dice = cases[cases["metric"] == "dice"]
    assert dice["value"].tolist() == pytest.approx([(0.2 + 0.8) / 2])


def test_number_of_imputed_runs_is_counted_within_a_case() -> None:
    scored = track(
        spots("a", [0.4, 0.6], seed=0),
        scores(
            "a",
            {"dice": [np.nan, 0.6], "betti0_error": [np.nan, 0]},
            seed=1,
            missing=[True, False],
        ),
    )
    cases = case_values(settle(scored, "selma2024").values)
    dice = cases[cases["metric"] == "dice"].set_index("case")
    assert dice["value"].tolist() == pytest.approx([0.2, 0.6])
    assert dice["imputed"].tolist() == [1, 0]


def test_cases_of_unknown_specimen_are_units_of_their_own_but_no_specimens() -> None:
    cases = track(spots("a", [0.5] * 3, specimens=["", "x", "x"])).cases
    assert cases["unit"].tolist() == ["case 000", "case 001", "case 002"]
    assert not cases["known_specimens"].any()
    known = track(spots("a", [0.5] * 3, specimens=["y", "x", "x"])).cases
    assert known["unit"].tolist() == ["y", "x", "x"]
    assert known["known_specimens"].all()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([spots("a", [0.5]), spots("b", [0.5], phase="preliminary")], "phase: expected one"),
        ([spots("a", [0.5]), spots("a", [0.6])], "expected one row, found several"),
        (
            [spots("a", [0.5], specimens=["x"]), spots("b", [0.5], specimens=["y"])],
            "expected one specimen",
        ),
    ],
)
def test_scores_that_contradict_themselves_are_refused(
    tables: list[pd.DataFrame], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _ = track(*tables).cases


def test_scores_survive_the_way_through_a_file(tmp_path: Path) -> None:
    table = spots("a", [0.25, np.nan], specimens=["0042", "NA"], seen=False)
    atomic.write_table(table.assign(seen="false"), tmp_path / "cfos.tsv")
    read = read_scores([tmp_path / "cfos.tsv"])
    pd.testing.assert_frame_equal(read, table, check_dtype=False)
    assert TrackScores.of(read, "per-type").cases["specimen"].tolist() == ["0042", "NA"]


def test_table_with_a_bad_cell_is_named(tmp_path: Path) -> None:
    atomic.write_table(spots("a", [0.5]).assign(seen="perhaps"), tmp_path / "cfos.tsv")
    with pytest.raises(InputError, match=r"cfos\.tsv: seen: expected true or false"):
        read_scores([tmp_path / "cfos.tsv"])
