"""Metrics against references written from the definitions, and what they do at the edges."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metric_references as reference
from mask_strategies import masks, pairs_of_masks, tubes
from selma3d.scoring.metrics import (
    METRICS,
    PROFILES,
    STRUCTURE_TYPES,
    TRUTH_FACTS,
    metrics_of,
    undefined_by_truth,
    worst_value,
)
from selma3d.scoring.metrics.case_scores import (
    describe_case,
    describe_truth,
    formula_of,
    score_case,
)
from selma3d.scoring.metrics.prepared import PreparedMask, prepare_truth
from selma3d.system.errors import InputError

SHAPE = (9, 10, 11)
EVERY_PROFILE_AND_TYPE = [
    (profile, structure_type) for profile in PROFILES for structure_type in STRUCTURE_TYPES
]


def empty() -> np.ndarray:
    return np.zeros(SHAPE, dtype=np.uint8)


def flat_ring() -> np.ndarray:
    mask = empty()
    mask[4, 3:6, 3:6] = 1
    mask[4, 4, 4] = 0
    return mask


def hollow_cube() -> np.ndarray:
    mask = empty()
    mask[3:6, 3:6, 3:6] = 1
    mask[4, 4, 4] = 0
    return mask


def bar(start: int = 1, stop: int = 10, width: int = 2) -> np.ndarray:
    mask = empty()
    mask[3 : 3 + width, 3 : 3 + width, start:stop] = 1
    return mask


def curve(row: int = 3) -> np.ndarray:
    mask = empty()
    mask[4, row, 2:9] = 1
    return mask


def assert_same(found: dict[str, float], expected: dict[str, float]) -> None:
    assert found.keys() == expected.keys()
    for metric, value in expected.items():
        if metric.startswith("betti"):
            assert found[metric] == value, metric
        else:
            assert found[metric] == pytest.approx(value, abs=1e-9, rel=0, nan_ok=True), metric


# Profiles against the definitions


@settings(deadline=None, max_examples=150)
@given(pairs_of_masks(largest=9), st.sampled_from(EVERY_PROFILE_AND_TYPE))
def test_scores_equal_the_definitions_on_random_masks(pair, profile_and_type) -> None:
    profile, structure_type = profile_and_type
    found = score_case(*pair, structure_type=structure_type, profile=profile)
    assert_same(found, reference.reference_score(*pair, structure_type, profile))


@settings(deadline=None, max_examples=40)
@given(pairs_of_masks(largest=8))
def test_distances_are_in_units_of_the_voxel_size(pair) -> None:
    size = (6.0, 1.6, 1.7)
    found = score_case(*pair, structure_type="vessel-like", profile="selma2025", voxel_size_um=size)
    expected = reference.hausdorff95(*pair, size)
    assert found["hausdorff95"] == pytest.approx(expected, abs=1e-9, rel=0, nan_ok=True)


@pytest.mark.parametrize(("profile", "structure_type"), EVERY_PROFILE_AND_TYPE)
def test_scores_equal_the_definitions_on_networks(profile: str, structure_type: str) -> None:
    truth, prediction = (tubes(seed, (28, 30, 70), count=7) for seed in (1, 2))
    prediction |= np.roll(truth, 1, axis=1)
    found = score_case(truth, prediction, structure_type=structure_type, profile=profile)
    assert_same(found, reference.reference_score(truth, prediction, structure_type, profile))


@pytest.mark.parametrize("size", [None, (3.0, 1.0, 0.5)])
def test_hausdorff95_and_surfaces_equal_monai(size) -> None:
    torch = pytest.importorskip("torch")
    metrics = pytest.importorskip("monai.metrics")
    truth, prediction = (tubes(seed, (20, 22, 24), count=3) for seed in (3, 4))
    batch = [torch.tensor(mask[None, None]) for mask in (prediction, truth)]
    options = {"include_background": True, "spacing": size}
    tolerance = math.hypot(*(size or (1, 1, 1)))
    hausdorff = metrics.compute_hausdorff_distance(*batch, percentile=95, **options)
    average = metrics.compute_average_surface_distance(*batch, symmetric=True, **options)
    dice = metrics.compute_surface_dice(*batch, class_thresholds=[tolerance * 1.0001], **options)
    scored = score_case(
        truth, prediction, structure_type="vessel-like", profile="selma2025", voxel_size_um=size
    )
    described = describe_case(truth, prediction, structure_type="spot-like", voxel_size_um=size)
    assert scored["hausdorff95"] == pytest.approx(hausdorff.item(), rel=1e-5)
    assert described["average_surface_distance"] == pytest.approx(average.item(), rel=1e-5)
    assert described["surface_dice"] == pytest.approx(dice.item(), rel=1e-5)


# Topology


@pytest.mark.parametrize(
    ("mask", "expected"), [(flat_ring(), (1, 1, 0)), (hollow_cube(), (1, 0, 1))]
)
def test_betti_numbers_of_a_flat_ring_and_a_hollow_cube(mask, expected) -> None:
    assert prepare_truth(mask).betti == expected


@settings(deadline=None, max_examples=150)
@given(masks(largest=9))
def test_betti_numbers_equal_the_definitions(mask: np.ndarray) -> None:
    assert PreparedMask(mask).betti == reference.betti_numbers(mask)


@pytest.mark.parametrize("width", [62, 63, 64, 65, 127, 128, 129])
def test_betti_numbers_hold_across_the_ends_of_packed_words(width: int) -> None:
    mask = np.random.default_rng(width).random((3, 4, width)) < 0.4
    assert PreparedMask(mask).betti == reference.betti_numbers(mask)


@settings(deadline=None, max_examples=60)
@given(masks(largest=7), st.tuples(*[st.tuples(st.integers(0, 70), st.integers(0, 3))] * 3))
def test_betti_numbers_and_objects_do_not_depend_on_the_space_around(mask, margins) -> None:
    around = PreparedMask(np.pad(mask, margins))
    assert around.betti == PreparedMask(mask).betti
    assert around.object_voxels.tolist() == PreparedMask(mask).object_voxels.tolist()


def test_betti_errors_against_an_empty_mask_are_the_other_mask_s_betti_numbers() -> None:
    scores = score_case(flat_ring(), empty(), structure_type="vessel-like", profile="selma2024")
    assert (scores["betti0_error"], scores["betti1_error"]) == (1, 1)


# clDice and its quirks


@pytest.mark.parametrize("profile", ["selma2024", "selma2025"])
def test_empty_prediction_scores_perfect_cldice_in_selma2024(profile: str) -> None:
    scores = score_case(curve(), empty(), structure_type="vessel-like", profile=profile)
    assert scores["cldice"] == 1
    assert scores["dice"] == 0


@pytest.mark.parametrize(
    ("truth", "prediction"), [(curve(), empty()), (empty(), curve()), (curve(3), curve(6))]
)
def test_cldice_without_any_meeting_is_nan_in_selma2026_and_0_in_robust(truth, prediction):
    for profile, expected in (("selma2026", math.nan), ("robust", 0)):
        scores = score_case(truth, prediction, structure_type="vessel-like", profile=profile)
        assert_same({"cldice": scores["cldice"]}, {"cldice": expected})


def test_bar_of_even_width_is_perfect_in_robust_and_undefined_in_selma2026() -> None:
    for profile, expected in (("selma2024", 1), ("selma2026", math.nan), ("robust", 1)):
        scores = score_case(bar(), bar(), structure_type="vessel-like", profile=profile)
        assert_same({"cldice": scores["cldice"]}, {"cldice": expected})


def test_both_masks_empty() -> None:
    def both_empty(structure_type: str, profile: str) -> dict[str, float]:
        return score_case(empty(), empty(), structure_type=structure_type, profile=profile)

    no_errors = {"dice": 1, "betti0_error": 0, "betti1_error": 0, "cldice": 1}
    assert_same(both_empty("vessel-like", "selma2024"), no_errors)
    assert_same(both_empty("vessel-like", "selma2025"), {**no_errors, "hausdorff95": math.nan})
    assert_same(both_empty("vessel-like", "selma2026"), {"dice": 1, "cldice": math.nan})
    assert_same(both_empty("vessel-like", "robust"), no_errors)
    assert_same(both_empty("spot-like", "selma2024"), {"dice": 1, "betti0_error": 0})
    assert_same(both_empty("spot-like", "selma2026"), {"dice": 1, "panoptic_quality": math.nan})
    assert_same(
        both_empty("spot-like", "robust"), {"dice": 1, "betti0_error": 0, "panoptic_quality": 1}
    )


# Objects


def test_panoptic_quality_counts_missed_and_invented_objects() -> None:
    truth, prediction = empty(), empty()
    truth[1, 1, 1:5] = truth[7, 7, 7] = 1
    prediction[1, 1, 1:4] = prediction[4, 4, 4] = 1
    scores = score_case(truth, prediction, structure_type="spot-like", profile="selma2026")
    assert scores["panoptic_quality"] == pytest.approx((6 / 7) * 1 / (1 + 0.5 + 0.5))
    described = describe_case(truth, prediction, structure_type="spot-like")
    assert (described["object_precision"], described["object_recall"]) == (0.5, 0.5)
    assert described["count_error"] == 0


def test_objects_match_from_an_iou_of_three_tenths_on() -> None:
    def quality(overlap: int, predicted: int) -> float:
        truth, prediction = empty(), empty()
        truth[4, 4, :overlap] = 1
        prediction[4, 4, :predicted] = 1
        scores = score_case(truth, prediction, structure_type="spot-like", profile="selma2026")
        return scores["panoptic_quality"]

    assert quality(3, 10) == pytest.approx(6 / 13)
    assert quality(3, 11) == 0


def test_an_object_is_matched_once_and_to_the_best() -> None:
    truth, prediction = empty(), empty()
    truth[4, 4, 0:10] = 1
    prediction[4, 4, 0:4] = prediction[4, 4, 5:10] = 1
    scores = score_case(truth, prediction, structure_type="spot-like", profile="selma2026")
    assert scores["panoptic_quality"] == pytest.approx((10 / 15) * 1 / 1.5)


def test_objects_are_numbered_in_scan_order() -> None:
    from skimage.measure import label

    mask = np.random.default_rng(0).random((12, 13, 14)) < 0.1
    found = PreparedMask(mask).labels_at(np.nonzero(mask))
    np.testing.assert_array_equal(found, label(mask, connectivity=3)[mask])


# Metrics that describe


@settings(deadline=None, max_examples=80)
@given(pairs_of_masks(largest=8), st.sampled_from([None, (6.0, 1.6, 1.7)]))
def test_descriptions_equal_the_definitions_on_random_masks(pair, size) -> None:
    truth, prediction = pair
    found = describe_case(truth, prediction, structure_type="spot-like", voxel_size_um=size)
    pairs, true, predicted = reference.matched_pairs(truth, prediction)
    spacing = size or (1.0, 1.0, 1.0)
    expected = {
        "object_precision": len(pairs) / predicted if predicted else math.nan,
        "object_recall": len(pairs) / true if true else math.nan,
        "count_error": abs(predicted - true) / true if true else math.nan,
        "surface_dice": 0.0 if true or predicted else math.nan,
        "average_surface_distance": math.nan,
    }
    if true and predicted:
        distances = np.concatenate(reference.surface_distances(truth, prediction, spacing))
        expected["surface_dice"] = np.mean(distances <= math.hypot(*spacing) + 1e-9)
        expected["average_surface_distance"] = distances.mean()
    others = {"tolerant_dice", "centroid_f1"}  # tests of their own compare these
    assert_same({name: each for name, each in found.items() if name not in others}, expected)


def test_surfaces_that_touch_across_corners_agree() -> None:
    truth, prediction = empty(), empty()
    truth[4, 4, 4] = prediction[5, 5, 5] = 1
    near = describe_case(truth, prediction, structure_type="spot-like", voxel_size_um=(6, 1.6, 1.6))
    prediction = np.roll(prediction, 1, axis=2)
    far = describe_case(truth, prediction, structure_type="spot-like", voxel_size_um=(6, 1.6, 1.6))
    assert (near["surface_dice"], far["surface_dice"]) == (1, 0)


def test_length_error_compares_lengths_in_micrometres() -> None:
    truth, prediction = empty(), empty()
    truth[4, 4, 1:8] = 1  # six steps of 1 um along x
    prediction[2:5, 4, 4] = 1  # two steps of 4 um along z
    described = describe_case(
        truth, prediction, structure_type="vessel-like", voxel_size_um=(4, 1, 1)
    )
    assert described["length_error"] == pytest.approx((8 - 6) / 6)


def test_length_does_not_run_on_from_the_end_of_a_row_to_the_next() -> None:
    truth, prediction = empty(), empty()
    truth[0, 0, :] = 1
    prediction[0, 0, :] = prediction[0, 3, 0] = prediction[0, 2, -1] = 1
    described = describe_case(truth, prediction, structure_type="vessel-like")
    assert described["length_error"] == 0


def test_length_error_is_undefined_for_a_truth_without_length() -> None:
    truth = empty()
    truth[4, 4, 4] = 1
    for lengthless in (truth, empty(), bar()):
        described = describe_case(lengthless, curve(), structure_type="vessel-like")
        assert math.isnan(described["length_error"])


def test_only_vessel_like_structures_have_a_length() -> None:
    assert "length_error" not in describe_case(curve(), curve(), structure_type="spot-like")


# Input


def test_masks_are_binarised_above_zero() -> None:
    truth = curve().astype(np.float64) * 95 - 1.5
    expected = score_case(curve(), curve(), structure_type="vessel-like", profile="robust")
    found = score_case(truth, curve() * 255, structure_type="vessel-like", profile="robust")
    assert found == expected


def test_prepared_truth_gives_the_same_scores_and_ignores_later_changes() -> None:
    truth, prediction = tubes(5, (20, 21, 22), count=3), tubes(6, (20, 21, 22), count=3)
    prepared = prepare_truth(truth)
    expected = {
        key: score_case(truth, prediction, profile=key[0], structure_type=key[1])
        for key in EVERY_PROFILE_AND_TYPE
    }
    truth[:] = False
    for profile, structure_type in EVERY_PROFILE_AND_TYPE:
        found = score_case(prepared, prediction, profile=profile, structure_type=structure_type)
        assert found == expected[profile, structure_type]
    assert prepare_truth(prepared) is prepared
    with pytest.raises(ValueError, match="read-only"):
        prepared.array[0, 0, 0] = True


def test_memory_layout_does_not_matter() -> None:
    truth, prediction = tubes(7, (16, 18, 20), count=3), tubes(8, (16, 18, 20), count=3)
    expected = score_case(truth, prediction, structure_type="vessel-like", profile="robust")
    strided = np.repeat(prediction, 2, axis=2)[:, :, ::2]
    for other in (np.asfortranarray(prediction), strided):
        found = score_case(truth, other, structure_type="vessel-like", profile="robust")
        assert found == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prediction": np.zeros((9, 10, 12))}, "expected the truth's shape"),
        ({"prediction": np.zeros((9, 10))}, "expected three axes"),
        ({"profile": "selma2023"}, "metric profile: expected selma2024, .* found 'selma2023'"),
        ({"structure_type": "vessel"}, "structure type: expected vessel-like, spot-like"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_name(arguments, message: str) -> None:
    usual = {"prediction": curve(), "structure_type": "vessel-like", "profile": "selma2024"}
    with pytest.raises(InputError, match=message):
        score_case(curve(), **{**usual, **arguments})


# The table


def test_profiles_have_the_metrics_that_the_challenge_names() -> None:
    betti = ("betti0_error", "betti1_error")
    assert metrics_of("selma2024", "vessel-like") == ("dice", *betti, "cldice")
    assert metrics_of("selma2024", "spot-like") == ("dice", "betti0_error")
    assert metrics_of("selma2025", "vessel-like") == ("dice", *betti, "cldice", "hausdorff95")
    assert metrics_of("selma2025", "spot-like") == ("dice", "betti0_error")
    assert metrics_of("selma2026", "vessel-like") == ("dice", "cldice")
    assert metrics_of("selma2026", "spot-like") == ("dice", "panoptic_quality")


def test_every_metric_has_a_formula_and_every_formula_a_metric() -> None:
    for name, metric in METRICS.items():
        assert set(metric.profile_formulas) <= set(metric.profiles)
        for profile in metric.profiles:
            assert callable(formula_of(name, profile))


@settings(deadline=None, max_examples=30)
@given(pairs_of_masks(largest=7))
def test_values_lie_in_the_range_that_the_table_states(pair) -> None:
    for structure_type, profile in product(STRUCTURE_TYPES, [*PROFILES, "describe"]):
        if profile == "describe":
            scores = describe_case(*pair, structure_type=structure_type)
        else:
            scores = score_case(*pair, structure_type=structure_type, profile=profile)
        for metric, value in scores.items():
            assert type(value) is float
            lowest, highest = METRICS[metric].lowest, METRICS[metric].highest
            assert math.isnan(value) or lowest <= value <= highest + 1e-12


@settings(deadline=None, max_examples=30)
@given(pairs_of_masks(largest=7))
def test_a_perfect_copy_is_undefined_only_where_the_truth_is_to_blame(pair) -> None:
    truth, _ = pair
    facts = describe_truth(truth)
    for profile, structure_type in EVERY_PROFILE_AND_TYPE:
        scores = score_case(truth, truth, structure_type=structure_type, profile=profile)
        for metric, value in scores.items():
            assert math.isnan(value) == undefined_by_truth(metric, facts, profile), metric


def test_an_undefined_value_takes_the_worst_one_unless_the_truth_is_to_blame() -> None:
    facts = describe_truth(flat_ring(), voxel_size_um=(2, 1, 1))
    assert tuple(facts) == TRUTH_FACTS
    assert worst_value("cldice", facts) == worst_value("panoptic_quality", facts) == 0
    assert worst_value("betti0_error", facts) == worst_value("betti1_error", facts) == 1
    assert worst_value("hausdorff95", facts) == pytest.approx(math.hypot(18, 10, 11))
    assert not undefined_by_truth("cldice", facts, "selma2026")
    assert undefined_by_truth("cldice", describe_truth(bar()), "selma2026")
    assert not undefined_by_truth("cldice", describe_truth(bar()), "selma2024")
    assert undefined_by_truth("hausdorff95", describe_truth(empty()), "selma2025")
    assert not undefined_by_truth("panoptic_quality", describe_truth(empty()), "robust")


def test_scoring_never_imports_torch() -> None:
    code = "import sys, selma3d.scoring.method_scores; sys.exit('torch' in sys.modules)"
    library = Path(sys.modules["selma3d"].__file__).parent.parent
    subprocess.run([sys.executable, "-c", code], check=True, cwd=library)
