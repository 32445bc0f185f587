"""Panels show cases that a rule chose, and colour what is right, too much and missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ranking_tables import DISPLAY
from selma3d.images import PatchWriter, PredictionWriter
from selma3d.report.cases import rendering, views
from selma3d.report.cases.choice import choose
from selma3d.report.cases.panels import draw_panel
from selma3d.report.shown import ShownCases
from selma3d.system.errors import InputError

RUNS = {"unet": "masked-nall-f0-s0", "threshold": "default"}
INITS = {"unet": "masked", "threshold": "default"}


NOT_RANKED = pd.DataFrame({"method": [], "init": []})


def scores(values: dict[str, float], metric: str = "dice", method: str = "unet") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": method,
            "init": INITS[method],
            "budget": "all",
            "structure": "cfos",
            "specimen": "brain",
            "case": list(values),
            "metric_profile": "selma2024",
            "metric": metric,
            "value": list(values.values()),
            "doubtful": False,
        }
    )


def test_best_median_and_worst_case_are_chosen() -> None:
    picks = choose(scores({"a": 0.1, "b": 0.9, "c": 0.5, "d": 0.4}))
    assert [(p.why, p.case) for p in picks] == [("best", "b"), ("median", "c"), ("worst", "a")]


def test_lower_error_is_the_better_case() -> None:
    picks = choose(scores({"a": 1, "b": 90, "c": 5}, "betti0_error"))
    assert [p.case for p in picks] == ["a", "c", "b"]


def test_tied_cases_are_chosen_by_name() -> None:
    picks = choose(scores({"c": 0.5, "a": 0.5, "b": 0.5}))
    assert [p.case for p in picks] == ["a", "b", "c"]


def test_single_case_is_shown_once_with_all_its_reasons() -> None:
    (pick,) = choose(scores({"a": 0.3}))
    assert pick.why == "best and median and worst"


def test_errors_are_told_apart() -> None:
    truth, prediction = np.array([[[1, 1, 0, 0]]]), np.array([[[1, 0, 1, 0]]])
    assert views.errors(truth, prediction).tolist() == [[[1, 3, 2, 0]]]


def test_planes_with_most_foreground_are_shown_and_the_middle_of_an_empty_truth() -> None:
    truth = np.zeros((5, 6, 7), bool)
    assert views.fullest_planes(truth) == (2, 3, 3)
    truth[4, 1, :] = True
    assert views.fullest_planes(truth)[:2] == (4, 1)


def test_constant_image_is_drawn_without_dividing_by_zero() -> None:
    assert np.isfinite(views.grey(np.full((2, 3, 4), 7, np.uint16))).all()


def test_coarse_planes_are_stretched_to_their_true_height() -> None:
    assert views.stretch(np.zeros((10, 20, 3)), (3.75, 1)).shape == (38, 20, 3)


def test_projection_takes_the_commonest_class_and_mixes_no_colours() -> None:
    labels = np.zeros((3, 1, 2), np.uint8)
    labels[:, 0, 0] = (views.TRUE_POSITIVE, views.FALSE_POSITIVE, views.FALSE_POSITIVE)
    colour = views.projected(labels, (1, 1, 1))[0]
    false_positive = np.array([int(views.COLOURS[1][i : i + 2], 16) for i in (1, 3, 5)]) / 255
    assert colour[0] / colour[0].max() == pytest.approx(
        false_positive / false_positive.max(), abs=1e-6
    )
    assert not colour[1].any()


def test_rendering_shows_what_is_ahead_and_hides_what_stands_behind() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[5:15, 5:15, 5:15] = 3
    labels[8:12, 8:12, 8:12] = 1
    shell_first = rendering.render(labels, ("#ff0000", "#00ff00", "#0000ff"), (1, 1, 1), 64)
    assert not shell_first[..., 0].any()
    core_too = rendering.render(labels, ("#ff0000", "#00ff00", "#0000ff"), (1, 1, 1), 64, behind=3)
    assert core_too[..., 0].any()
    assert core_too[..., 2].any()


def test_box_of_the_rendering_has_twelve_edges_inside_the_picture() -> None:
    edges = np.array(rendering.box_edges((10, 20, 30), (2.0, 1.0, 1.0), 64))
    assert edges.shape == (12, 2, 2)
    assert (edges > -1).all()
    assert (edges < 65).all()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, dict[str, Path]]:
    random = np.random.default_rng(0)
    cases = tmp_path / "cases.h5"
    masks = {case: random.random((8, 16, 16)) > 0.8 for case in "abc"}
    with PatchWriter(cases, tmp_path / "cases.tsv", "cases") as writer:
        for case, mask in masks.items():
            image = random.integers(0, 999, (1, *mask.shape), dtype=np.uint16)
            writer.add(case, image, mask.astype(np.uint8), "brain", (6.0, 1.6, 1.6))
    predictions = {}
    for method, run in RUNS.items():
        predictions[method] = tmp_path / f"{method}.h5"
        with PredictionWriter(predictions[method], method, "cfos", run) as writer:
            for case, mask in masks.items():
                writer.add(case, np.roll(mask, 1, axis=2))
    return cases, predictions


def shown(cases: Path, predictions: dict[str, Path]) -> ShownCases:
    entrants = {(method, INITS[method]): path for method, path in predictions.items()}
    return ShownCases("cfos", cases, 0, entrants)


def test_what_a_panel_shows_travels_as_plain_data(files: tuple[Path, dict[str, Path]]) -> None:
    plain = json.loads(json.dumps(shown(*files).plain()))
    assert ShownCases.read(plain) == shown(*files)


def test_panel_names_cases_entrants_scores_and_scale(
    files: tuple[Path, dict[str, Path]], tmp_path: Path
) -> None:
    cases, predictions = files
    values = {"a": 0.25, "b": 0.75, "c": 0.5}
    both = pd.concat([scores(values), scores(values, method="threshold")])
    tables = {"cases": both, "leaderboard": NOT_RANKED}
    output = tmp_path / "panel.svg"
    display = replace(DISPLAY, note="held-out split", partial=("one run",))
    draw_panel(shown(cases, predictions), tables, display, {"svg": output})
    svg = output.read_text()
    for words in (
        *("Best case: b (specimen brain), mean Dice 0.750", "Median case: c", "Worst case: a"),
        *("U-Net", "Otsu", "0.250", "false negative", "µm", "held-out split", "PARTIAL: 1 missing"),
    ):
        assert words in svg


def test_panel_of_an_unscored_structure_says_so(
    files: tuple[Path, dict[str, Path]], tmp_path: Path
) -> None:
    cases, predictions = files
    of_another = scores({"a": 0.2}).assign(structure="vessel")
    tables = {"cases": of_another, "leaderboard": NOT_RANKED}
    output = tmp_path / "panel.svg"
    draw_panel(shown(cases, {"unet": predictions["unet"]}), tables, DISPLAY, {"svg": output})
    assert "No case of cfos has been scored" in output.read_text()


def test_case_that_an_entrant_lacks_is_drawn_as_missed_and_said_so(
    files: tuple[Path, dict[str, Path]], tmp_path: Path
) -> None:
    cases, predictions = files
    with PredictionWriter(predictions["unet"], "unet", "cfos", RUNS["unet"]) as writer:
        writer.add("a", np.zeros((8, 16, 16), np.uint8))
    tables = {"cases": scores({"a": 0.25, "b": 0.0, "c": 0.0}), "leaderboard": NOT_RANKED}
    output = tmp_path / "panel.svg"
    draw_panel(shown(cases, {"unet": predictions["unet"]}), tables, DISPLAY, {"svg": output})
    assert "no prediction" in output.read_text()


def test_panel_without_a_truth_is_refused(tmp_path: Path) -> None:
    cases, masks = tmp_path / "cases.h5", tmp_path / "unet.h5"
    with PatchWriter(cases, tmp_path / "cases.tsv", "cases") as writer:
        writer.add("a", np.ones((1, 4, 4, 4), np.uint16), None)
    with PredictionWriter(masks, "unet", "cfos", RUNS["unet"]) as writer:
        writer.add("a", np.zeros((4, 4, 4), np.uint8))
    tables = {"cases": scores({"a": 0.2}), "leaderboard": NOT_RANKED}
    with pytest.raises(InputError, match=r"cases.h5: a: expected a mask"):
        draw_panel(shown(cases, {"unet": masks}), tables, DISPLAY, {})


def test_the_corner_enlarges_where_entrants_differ_most() -> None:
    truth = np.zeros((1, 60, 60), bool)
    masks = np.zeros((2, 60, 60), bool)
    masks[0, 40:46, 10:16] = True  # found by one of two
    masks[:, 5:9, 5:9] = True  # found by both
    interest = views.disagreement(list(masks), truth[0])
    shape, at, scale = (60, 60, 60), (30, 30, 30), (1, 1, 1)
    found = views.detail(interest, shape, at, scale)
    assert found.side == 12
    assert found.top <= 40 < 46 <= found.top + 12
    assert found.left <= 10 < 16 <= found.left + 12
    values = np.zeros(shape)
    values[30, found.top, found.left] = 1
    sheet = views.orthogonal(values, None, at, scale, found)
    assert (sheet[-36:, -36:][:3, :3] == 1).all()
    assert sheet[-36:, -36:].sum() == 3 * 9
    agreed = views.disagreement([masks[1]], masks[1])
    assert (agreed == masks[1]).all(), "without a difference or an error, the truth"
    assert views.detail(interest, (3, 60, 60), at=(1, 30, 30), scale=scale) is None
