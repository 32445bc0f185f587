"""A method's score table: every run, case and metric, and nothing silent."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mask_strategies import tubes
from selma3d.images import PatchWriter, PredictionWriter
from selma3d.scoring.method_scores import Scoring, score_predictions
from selma3d.scoring.metrics import TRUTH_FACTS, metrics_of
from selma3d.scoring.metrics.case_scores import describe_case, describe_truth, score_case
from selma3d.scoring.metrics.prepared import PreparedMask
from selma3d.scoring.metrics.quantities import measure
from selma3d.scoring.score_tables import SCORE_COLUMNS, read_scores
from selma3d.system.atomic import write_table
from selma3d.system.errors import InputError

SHAPE = (14, 16, 18)
VOXEL_SIZE = (4.0, 1.5, 1.5)
TRUTHS = {name: tubes(seed, SHAPE, count=2) for seed, name in enumerate(["000", "001", "002"])}
BEFORE = Path(__file__).with_name("scores_before_quantities.tsv")
NETWORK, ONE_MODEL = "scratch-n4-f0-s1", "masked-nall-f1-s0-one"


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Three cases, the last without its truth."""
    path = tmp_path / "cases.h5"
    image = np.zeros((1, *SHAPE), dtype=np.uint16)
    with PatchWriter(path, tmp_path / "cases.tsv", "cases") as writer:
        writer.add("000", image, TRUTHS["000"], "brain 1", VOXEL_SIZE)
        writer.add("001", image, TRUTHS["001"], "brain 2", None)
        writer.add("002", image, None, "brain 2", None)
    return path


def predict(folder: Path, run: str, masks: dict[str, np.ndarray]) -> tuple[str, Path]:
    path = folder / f"{run}.h5"
    with PredictionWriter(path, "unet", "vessel", run) as writer:
        for case, mask in masks.items():
            writer.add(case, mask)
    return run, path


def shifted(cells: int) -> dict[str, np.ndarray]:
    return {case: np.roll(mask, cells, axis=2) for case, mask in TRUTHS.items()}


def score(cases: Path, predictions: list[tuple[str, Path]], **changes: object) -> pd.DataFrame:
    settings = {
        "edition": "selma2024",
        "phase": "final",
        "tracks": ("per-type", "one-model"),
        "structure": "vessel",
        "scored_as": "vessel-like",
        "seen": True,
        "profile": "selma2024",
    }
    return score_predictions(
        cases, predictions, method="unet", scoring=Scoring(**settings | changes)
    )


def values_of(table: pd.DataFrame, profile: str, **selected: object) -> dict[str, float]:
    rows = table[table["metric_profile"] == profile]
    for column, value in selected.items():
        rows = rows[rows[column] == value]
    assert not rows["metric"].duplicated().any()
    return dict(zip(rows["metric"], rows["value"], strict=True))


def test_every_run_and_case_has_the_profile_robust_and_descriptive_metrics(cases, tmp_path):
    table = score(cases, [predict(tmp_path, NETWORK, shifted(1))])
    for case, size in (("000", VOXEL_SIZE), ("001", None)):
        pair = (TRUTHS[case], np.roll(TRUTHS[case], 1, axis=2))
        for profile in ("selma2024", "robust"):
            assert values_of(table, profile, case=case) == score_case(
                *pair, structure_type="vessel-like", profile=profile, voxel_size_um=size
            )
        assert values_of(table, "describe", case=case) == {
            **describe_case(*pair, structure_type="vessel-like", voxel_size_um=size),
            "missing": 0,
            **describe_truth(pair[0], voxel_size_um=size),
            **quantities("predicted_", pair[1], size),
            **quantities("truth_", pair[0], size),
        }


def quantities(of: str, mask: np.ndarray, size: tuple[float, ...] | None) -> dict[str, float]:
    found = measure(PreparedMask(mask), "vessel-like", size or (1.0, 1.0, 1.0))
    return {of + name: value for name, value in found.items()}


def test_rows_of_the_first_metrics_are_byte_for_byte_what_they_were(cases, tmp_path):
    alone = predict(tmp_path, ONE_MODEL, {"000": TRUTHS["000"]})
    write_table(score(cases, [predict(tmp_path, NETWORK, shifted(1)), alone]), tmp_path / "now.tsv")
    before = BEFORE.read_text().splitlines()
    metrics = {line.split("\t")[-2] for line in before}
    now = (tmp_path / "now.tsv").read_text().splitlines()
    assert [line for line in now if line.split("\t")[-2] in metrics] == before


def test_columns_say_what_was_scored(cases, tmp_path):
    table = score(cases, [predict(tmp_path, NETWORK, shifted(1))], seen=False)
    assert tuple(table.columns) == SCORE_COLUMNS
    assert table.iloc[0].drop(["metric_profile", "metric", "value"]).to_dict() == {
        "edition": "selma2024",
        "phase": "final",
        "track": "per-type",
        "structure": "vessel",
        "scored_as": "vessel-like",
        "seen": "false",
        "specimen": "brain 1",
        "case": "000",
        "method": "unet",
        "init": "scratch",
        "budget": "4",
        "fold": 0,
        "seed": 1,
    }


def test_a_run_is_listed_in_its_own_track_and_a_method_without_learning_in_all(cases, tmp_path):
    table = score(
        cases, [predict(tmp_path, run, shifted(0)) for run in (NETWORK, ONE_MODEL, "default")]
    )
    tracks = table.groupby("init")["track"].unique().map(sorted).to_dict()
    assert tracks == {
        "scratch": ["per-type"],
        "masked": ["one-model"],
        "default": ["one-model", "per-type"],
    }
    default = table[table["init"] == "default"]
    assert set(zip(default["budget"], default["fold"], default["seed"], strict=True)) == {
        ("all", 0, 0)
    }
    values = [
        default.loc[default["track"] == track, "value"].tolist()
        for track in ("per-type", "one-model")
    ]
    assert values[0] == values[1]


def test_case_without_a_prediction_is_nan_and_marked_missing(cases, tmp_path, caplog):
    masks = shifted(1)
    del masks["001"]
    table = score(cases, [predict(tmp_path, NETWORK, masks)])
    assert "no prediction of case 001" in caplog.text
    for profile in ("selma2024", "robust"):
        values = values_of(table, profile, case="001")
        assert tuple(values) == metrics_of(profile, "vessel-like")
        assert np.isnan(list(values.values())).all()
    described = values_of(table, "describe", case="001")
    assert described["missing"] == 1
    assert {fact: described[fact] for fact in TRUTH_FACTS} == describe_truth(TRUTHS["001"])
    assert values_of(table, "describe", case="000")["missing"] == 0


def test_cases_with_hidden_truth_are_left_out_and_counted_in_the_log(cases, tmp_path, caplog):
    table = score(cases, [predict(tmp_path, NETWORK, shifted(1))])
    assert set(table["case"]) == {"000", "001"}
    assert "1 cases without a truth are not scored" in caplog.text


def test_predictions_of_unknown_cases_are_named_in_the_log(cases, tmp_path, caplog):
    masks = {**shifted(1), "elsewhere": TRUTHS["000"]}
    with caplog.at_level(logging.WARNING):
        score(cases, [predict(tmp_path, NETWORK, masks)])
    assert "elsewhere" in caplog.text


def test_a_truth_is_prepared_once_for_all_runs(cases, tmp_path, monkeypatch):
    prepared = []
    original = PreparedMask.__init__
    monkeypatch.setattr(
        PreparedMask, "__init__", lambda self, mask: (prepared.append(1), original(self, mask))[1]
    )
    runs = [f"scratch-n4-f0-s{seed}" for seed in range(4)]
    score(cases, [predict(tmp_path, run, shifted(1)) for run in runs])
    assert len(prepared) == 2 * (1 + len(runs))


def test_the_robust_profile_is_not_scored_twice(cases, tmp_path):
    table = score(cases, [predict(tmp_path, NETWORK, shifted(1))], profile="robust")
    assert set(table["metric_profile"]) == {"robust", "describe"}
    assert not table.duplicated(["case", "metric_profile", "metric"]).any()


def test_table_survives_writing_and_reading(cases, tmp_path):
    masks = shifted(1)
    del masks["001"]
    table = score(cases, [predict(tmp_path, NETWORK, masks), predict(tmp_path, "default", masks)])
    write_table(table, tmp_path / "scores.tsv")
    again = read_scores([tmp_path / "scores.tsv"])
    pd.testing.assert_frame_equal(
        again.drop(columns="seen"), table.drop(columns="seen"), check_dtype=False, rtol=1e-9
    )
    assert again["seen"].all()


def test_a_prediction_of_another_shape_is_refused_with_its_file_and_case(cases, tmp_path):
    masks = {"000": TRUTHS["000"], "001": TRUTHS["001"][1:]}
    with pytest.raises(InputError, match=r"scratch-n4-f0-s1\.h5: case 001: .*expected the truth's"):
        score(cases, [predict(tmp_path, NETWORK, masks)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"profile": "selma2023"}, "metric profile"), ({"scored_as": "vessel"}, "structure type")],
)
def test_unknown_profiles_and_structure_types_are_refused(cases, changes, message):
    with pytest.raises(InputError, match=message):
        score(cases, [], **changes)


def test_a_run_of_no_known_name_is_refused_with_its_file(cases, tmp_path):
    with pytest.raises(InputError, match=r"best\.h5: run 'best': expected <init>-n<budget>"):
        score(cases, [predict(tmp_path, "best", shifted(1))])


def test_no_runs_give_an_empty_table_with_all_columns(cases):
    table = score(cases, [])
    assert tuple(table.columns) == SCORE_COLUMNS
    assert table.empty
