"""Metrics and quantities that are shown and not ranked, against scikit-image, SciPy and by hand."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from skimage.measure import label, regionprops

import metric_references as reference
from mask_strategies import masks, pairs_of_masks, tubes
from selma3d.scoring.metrics import (
    DESCRIBE,
    METRICS,
    PROFILES,
    QUANTITIES,
    degenerate_value,
    metrics_of,
    quantities_of,
    worst_value,
)
from selma3d.scoring.metrics.background_distance import background_distances
from selma3d.scoring.metrics.case_scores import describe_case, describe_truth, score_case
from selma3d.scoring.metrics.centroids import REACH_UM, REACH_VOXELS
from selma3d.scoring.metrics.prepared import PreparedMask
from selma3d.scoring.metrics.quantities import FORMULAS, measure

SIZE = (6.0, 1.6, 1.7)
VOXEL = (1.0, 1.0, 1.0)


def empty(*shape: int) -> np.ndarray:
    return np.zeros(shape or (20, 20, 20), dtype=bool)


def dots(*places: tuple[int, int, int]) -> np.ndarray:
    mask = empty()
    for place in places:
        mask[place] = True
    return mask


def described(truth: np.ndarray, prediction: np.ndarray, size=None) -> dict[str, float]:
    return describe_case(truth, prediction, structure_type="spot-like", voxel_size_um=size)


@settings(deadline=None, max_examples=20)
@given(pairs_of_masks(largest=8))
def test_centroid_f1_equals_an_optimal_assignment_of_scikit_image_centroids(pair) -> None:
    truth, prediction = pair
    for size, reach in ((None, REACH_VOXELS), (SIZE, REACH_UM)):
        centres = [
            np.array([region.centroid for region in regionprops(label(mask > 0, connectivity=3))])
            for mask in (truth, prediction)
        ]
        expected = math.nan if not any(map(len, centres)) else 0.0
        if all(map(len, centres)):
            apart = cdist(*(c * (size or VOXEL) for c in centres)) > reach
            pairs = (~apart[linear_sum_assignment(apart)]).sum()
            expected = 2 * pairs / sum(map(len, centres))
        found = described(truth, prediction, size)["centroid_f1"]
        assert found == pytest.approx(expected, nan_ok=True)


def test_objects_are_found_by_distance_in_micrometres_and_each_once() -> None:
    truth = dots((2, 5, 5), (2, 15, 15))
    doubled = dots((2, 5, 3), (2, 5, 7))  # both beside the first object
    assert described(truth, doubled, (1.0, 2.0, 2.0))["centroid_f1"] == 0.5
    assert described(truth, doubled, (1.0, 2.0, 5.5))["centroid_f1"] == 0
    assert described(truth, dots((8, 5, 5)), (1.0, 2.0, 2.0))["centroid_f1"] == pytest.approx(2 / 3)
    assert described(truth, dots((8, 5, 5)))["centroid_f1"] == 0


@settings(deadline=None, max_examples=20)
@given(pairs_of_masks(largest=8))
def test_tolerant_dice_equals_one_step_of_scipy_s_dilation(pair) -> None:
    truth, prediction = (mask > 0 for mask in pair)
    right = (prediction & ndimage.binary_dilation(truth)).sum()
    found = (truth & ndimage.binary_dilation(prediction)).sum()
    voxels = truth.sum() + prediction.sum()
    expected = (right + found) / voxels if voxels else math.nan
    assert described(*pair)["tolerant_dice"] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("width", [62, 63, 64, 65, 130])
def test_a_mask_moved_by_one_voxel_along_an_axis_is_right_within_a_voxel(width: int) -> None:
    mask = empty(6, 6, width)
    mask[2:4, 2:4, 1:-1:3] = True
    for axis, step in product(range(3), (-1, 1)):
        assert described(mask, np.roll(mask, step, axis))["tolerant_dice"] == 1
    assert described(mask, np.roll(mask, 2, 0))["tolerant_dice"] < 1


def distance_on_skeleton(mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    skeleton = reference.lee_skeleton(mask)
    if not skeleton.any() or mask.all():
        return math.nan
    return ndimage.distance_transform_edt(mask, sampling=spacing)[skeleton].mean()


@settings(deadline=None, max_examples=20)
@given(masks(largest=8))
def test_radius_equals_the_distance_transform_on_the_skeleton(mask: np.ndarray) -> None:
    for spacing in (VOXEL, SIZE):
        found = measure(PreparedMask(mask), "vessel-like", spacing)["radius"]
        assert found == pytest.approx(distance_on_skeleton(mask > 0, spacing), nan_ok=True)


def test_distances_to_the_background_hold_deep_inside_and_at_the_image_s_end() -> None:
    ball = ndimage.distance_transform_edt(np.pad(np.ones((1, 1, 1)), 20) == 0) < 17
    for mask in (ball, ball[:, :, 12:], ball[18:23]):
        for spacing in (VOXEL, SIZE):
            expected = ndimage.distance_transform_edt(mask, sampling=spacing)
            voxels = np.flatnonzero(mask)[::37]
            found = background_distances(PreparedMask(mask), voxels, spacing)
            np.testing.assert_allclose(found, expected.reshape(-1)[voxels])
    full = PreparedMask(np.ones((3, 4, 5)))
    assert np.isinf(background_distances(full, np.arange(60), VOXEL)).all()


def counted_branch_points(mask: np.ndarray) -> int:
    skeleton = reference.lee_skeleton(mask)
    around = ndimage.convolve(skeleton.astype(int), np.ones((3, 3, 3)), mode="constant") - 1
    return int(label(skeleton & (around > 2), connectivity=3).max())


def test_branch_points_equal_neighbours_counted_by_convolution() -> None:
    networks = [tubes(seed, (24, 26, 28), count=8) > 0 for seed in range(4)]
    expected = [counted_branch_points(mask) for mask in networks]
    assert max(expected) > 2
    for mask, points in zip(networks, expected, strict=True):
        assert measure(PreparedMask(mask), "vessel-like", VOXEL)["branch_points"] == points


def test_a_cross_has_one_branch_point_and_a_line_none() -> None:
    line, cross = empty(), empty()
    line[10, 10, 2:18] = cross[10, 10, 2:18] = cross[10, 2:18, 10] = True
    for mask, expected in ((empty(), 0), (dots((3, 3, 3)), 0), (line, 0), (cross, 1)):
        assert measure(PreparedMask(mask), "vessel-like", VOXEL)["branch_points"] == expected


def test_length_density_is_in_millimetres_a_cubic_millimetre() -> None:
    line = empty()
    line[10, 10, 2:18] = True  # fifteen steps of 2 um in 20³ voxels of 2 um³ each
    found = measure(PreparedMask(line), "vessel-like", (1.0, 1.0, 2.0))
    assert found["length_density"] == pytest.approx(30e-3 / (8000 * 2 * 1e-9))


def test_radius_of_a_straight_tube_is_its_own() -> None:
    y, x = np.indices((21, 21)) - 10
    tube = np.repeat(((y**2 + x**2) <= 16)[None], 30, axis=0)
    radius = measure(PreparedMask(tube), "vessel-like", VOXEL)["radius"]
    assert radius == pytest.approx(math.hypot(4, 1), abs=0.05)  # the nearest voxel beyond 4


def test_quantities_count_objects_and_voxels_as_scikit_image_does() -> None:
    mask = tubes(1, (24, 26, 28), count=5) > 0
    found = measure(PreparedMask(mask), "spot-like", VOXEL)
    assert found == {"objects": label(mask, connectivity=3).max(), "voxels": mask.sum()}
    assert set(FORMULAS) == set(QUANTITIES) == set(quantities_of("vessel-like"))


@settings(deadline=None, max_examples=15)
@given(masks(largest=7))
def test_degenerate_value_is_what_an_empty_mask_scores(mask: np.ndarray) -> None:
    facts = describe_truth(mask)
    for profile, structure_type in product(PROFILES, ("vessel-like", "spot-like")):
        nothing = score_case(
            mask, np.zeros_like(mask), structure_type=structure_type, profile=profile
        )
        for metric, value in nothing.items():
            expected = worst_value(metric, facts) if math.isnan(value) else value
            if mask.any():
                assert degenerate_value(metric, facts, profile) == pytest.approx(expected)
            else:
                assert math.isnan(degenerate_value(metric, facts, profile))


def test_what_is_shown_and_not_ranked_is_in_no_profile() -> None:
    for metric in metrics_of(DESCRIBE, "vessel-like"):
        assert set(METRICS[metric].profiles) == {DESCRIBE}
