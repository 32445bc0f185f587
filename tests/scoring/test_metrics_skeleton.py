"""The sparse Lee skeleton equals scikit-image's, voxel for voxel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import euler_number, label
from skimage.morphology import skeletonize

from mask_strategies import masks, tubes
from selma3d.scoring.metrics.prepared import PreparedMask
from selma3d.scoring.metrics.simple_points import CAP, RING, deletion_tables


def skeleton_image(mask: np.ndarray) -> np.ndarray:
    image = np.zeros(mask.shape, dtype=bool)
    image.reshape(-1)[PreparedMask(mask).skeleton] = True
    return image


def assert_equals_scikit_image(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(skeleton_image(mask), skeletonize(mask, method="lee"))


@settings(deadline=None, max_examples=300)
@given(masks(largest=14))
def test_skeleton_equals_scikit_image_on_random_masks(mask: np.ndarray) -> None:
    assert_equals_scikit_image(mask)


@pytest.mark.parametrize("seed", range(6))
def test_skeleton_equals_scikit_image_on_networks_of_tubes(seed: int) -> None:
    assert_equals_scikit_image(tubes(seed, shape=(48, 56, 64), count=14))


@pytest.mark.parametrize("seed", range(3))
def test_skeleton_equals_scikit_image_on_thick_sponges(seed: int) -> None:
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).normal(size=(40, 44, 36))
    assert_equals_scikit_image(gaussian_filter(noise, 2.5) > 0)


def test_skeleton_equals_scikit_image_on_real_vessels_and_cells(real_data) -> None:
    import nibabel

    annotated = real_data / "S-BIAD1196/Files/SELMA3D_training_annotated"
    for subset in ("VessAP_vessel", "microglia", "cFos-Active_Neurons"):
        path = sorted((annotated / subset / "gt").glob("*.nii.gz"))[0]
        assert_equals_scikit_image(np.squeeze(np.asarray(nibabel.load(path).dataobj)).T > 0)


@given(
    masks(largest=8),
    st.tuples(*[st.tuples(st.integers(0, 4), st.integers(0, 4))] * 3),
)
@settings(deadline=None, max_examples=100)
def test_skeleton_of_a_crop_is_the_crop_of_the_skeleton(mask, margins) -> None:
    image = np.pad(mask, margins)
    assert_equals_scikit_image(image)


@pytest.mark.parametrize("axis", range(3))
def test_an_object_in_one_plane_is_thinned_from_six_sides_unless_the_image_is_one_plane(axis):
    disc = np.hypot(*np.mgrid[-5:6, -6:7]) < 5
    lone_plane = np.expand_dims(disc, axis)
    assert_equals_scikit_image(lone_plane)
    assert_equals_scikit_image(np.pad(lone_plane, 2))


@pytest.mark.parametrize("width", [2, 4])
def test_straight_bars_of_even_width_have_an_empty_skeleton(width: int) -> None:
    bar = np.zeros((12, 12, 30), dtype=bool)
    bar[4 : 4 + width, 4 : 4 + width, 3:27] = True
    assert PreparedMask(bar).skeleton.size == 0


def test_whole_skeleton_adds_the_innermost_voxel_of_components_without_one() -> None:
    mask = np.zeros((12, 12, 40), dtype=bool)
    mask[4:8, 4:8, 2:20] = True  # even width: vanishes
    mask[5, 5, 25:35] = True  # a curve: stays as it is
    mask[2:7, 2:7, 22:23] = True
    mask[9:11, 9:11, 36:38] = True  # depth 1 throughout: the first in scan order
    prepared = PreparedMask(mask)
    added = np.setdiff1d(prepared.whole_skeleton, prepared.skeleton)
    positions = np.stack(np.unravel_index(added, mask.shape), axis=1).tolist()
    assert positions == [[5, 5, 3], [9, 9, 36]]


def test_innermost_voxel_counts_what_is_outside_the_image_as_outside_the_object() -> None:
    filled = PreparedMask(np.ones((2, 4, 6)))
    assert filled.skeleton.size == 0
    assert filled.whole_skeleton.tolist() == [np.ravel_multi_index((0, 0, 0), filled.shape)]


def test_deletion_tables_equal_the_definitions() -> None:
    tables = deletion_tables()
    generator = np.random.default_rng(0)
    for _ in range(3000):
        around = generator.random((3, 3, 3)) < generator.uniform(0.05, 0.95)
        around[1, 1, 1] = False
        above, below = (code(around[plane], CAP) for plane in (0, 2))
        ring = code(around[1], RING)
        kinds = [int(tables.kind[cap << 8 | ring]) for cap in (above, below)]
        pair = kinds[0] * tables.kinds + kinds[1]

        pieces = label(around, connectivity=3).max()
        filled = around.copy()
        filled[1, 1, 1] = True
        same_euler = euler_number(filled, connectivity=3) == euler_number(around, connectivity=3)
        assert tables.connected[pair] == (pieces <= 1)
        assert tables.deletable[pair] == (pieces <= 1 and same_euler and around.sum() != 1)


def code(plane: np.ndarray, steps) -> int:
    return sum(int(plane[row + 1, column + 1]) << bit for bit, (row, column) in enumerate(steps))
