"""Instances that touch are split, and are those of the whole volume however it is cut."""

from __future__ import annotations

from pathlib import Path

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from selma3d.images import InstanceFile
from selma3d.images.hdf5_writing import writing_hdf5
from selma3d.images.storage import stamp, write_array
from selma3d.inference.instances import Splitting, label_instances, write_instances

WHOLE = (256, 256, 256)


def instances(mask, splitting=None, size=None, edges=WHOLE):
    """Labels of a mask, the component of each object, and the number of components kept whole."""
    labels, parts = np.zeros(mask.shape, np.uint32), np.zeros(mask.shape, np.uint32)
    return labels, *label_instances(mask, labels, parts, splitting or Splitting(), size, edges)


def blobs(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Blurred noise above its 70th percentile: blobs, many of which touch."""
    noise = gaussian_filter(np.random.default_rng(seed).random(shape), 2)
    return (noise > np.quantile(noise, 0.7)).astype(np.uint8)


def balls(*centres: tuple[int, int, int], radius: float = 6) -> np.ndarray:
    """Balls in a volume of 30 × 30 × 50 voxels."""
    grid = np.stack(np.indices((30, 30, 50)), -1)
    near = [((grid - centre) ** 2).sum(-1) <= radius**2 for centre in centres]
    return np.any(near, axis=0).astype(np.uint8)


@settings(max_examples=14, deadline=None)
@given(
    shape=st.tuples(*[st.integers(6, 34)] * 3),
    edges=st.tuples(*[st.integers(5, 20)] * 3),
    size=st.sampled_from([None, (1.0, 1.0, 1.0), (5.0, 2.0, 2.0)]),
    largest=st.sampled_from([2**24, 3000]),
    seed=st.integers(0, 2**32 - 1),
)
def test_instances_equal_those_of_the_whole_volume_however_it_is_cut(
    shape, edges, size, largest: int, seed: int
) -> None:
    mask = blobs(shape, seed)
    splitting = Splitting(depth=0.5, largest=largest)
    whole, cut = instances(mask, splitting, size), instances(mask, splitting, size, edges)
    np.testing.assert_array_equal(cut[0], whole[0])
    np.testing.assert_array_equal(cut[1], whole[1])
    assert cut[2] == whole[2]
    np.testing.assert_array_equal(whole[0] > 0, mask > 0)
    assert np.unique(whole[0][mask > 0]).tolist() == list(range(1, len(whole[1]) + 1))


@settings(max_examples=8, deadline=None)
@given(size=st.sampled_from([(1.0, 1.0, 1.0), (4.0, 1.5, 1.5)]), seed=st.integers(0, 2**32 - 1))
def test_instances_are_those_of_a_watershed_of_all_components_at_once(size, seed: int) -> None:
    mask = blobs((24, 30, 30), seed)
    found, _, _ = instances(mask, Splitting(depth=0.6), size, (11, 13, 9))
    padded = np.pad(mask, 1) > 0
    distance = distance_transform_edt(padded, sampling=size)
    flooded = reconstruction(distance - 0.6 * min(size), distance, footprint=np.ones((3, 3, 3)))
    flooded[~padded] = -1
    peaks = local_maxima(flooded, connectivity=3) & padded
    markers = cc3d.connected_components(peaks.astype(np.uint8), connectivity=26)
    expected = watershed(
        -distance, markers.astype(int), mask=padded, connectivity=np.ones((3, 3, 3))
    )[1:-1, 1:-1, 1:-1]
    assert found.max() == expected.max()
    both = np.stack([found[mask > 0], expected[mask > 0]], 1)
    pairs, count = np.unique(both, axis=0, return_counts=True)
    theirs = dict(pairs[np.argsort(count)].tolist())
    assert len(set(theirs.values())) == len(theirs)
    # Voxels as far from one peak as from another may fall to either.
    assert np.mean([theirs[mine] == their for mine, their in both.tolist()]) > 0.99


def test_cells_that_touch_are_two_and_have_a_component_in_common() -> None:
    mask = balls((15, 15, 15), (15, 15, 26))
    labels, component, _ = instances(mask)
    assert component.tolist() == [1, 1]
    assert labels[15, 15, 15] == 1
    assert labels[15, 15, 26] == 2
    together, component, _ = instances(mask, Splitting("components"))
    assert together.max() == 1
    assert component.tolist() == [1]


def test_a_dent_shallower_than_the_depth_splits_nothing() -> None:
    mask = balls((15, 15, 15), (15, 15, 20))
    assert instances(mask, Splitting(depth=1.0))[0].max() == 1
    deep = balls((15, 15, 15), (15, 15, 26))
    assert instances(deep, Splitting(depth=1.0))[0].max() == 2
    assert instances(deep, Splitting(depth=5.0))[0].max() == 1


def test_ids_follow_the_components_first_voxels() -> None:
    mask = balls((15, 6, 40), (15, 20, 10), (15, 20, 21), radius=6)
    labels, component, _ = instances(mask, edges=(8, 9, 10))
    assert component.tolist() == [1, 2, 2]
    assert [labels[15, 6, 40], labels[15, 20, 10], labels[15, 20, 21]] == [1, 2, 3]


def test_components_too_large_to_be_split_stay_whole_and_are_counted() -> None:
    mask = balls((15, 15, 15), (15, 15, 26))
    labels, _, unsplit = instances(mask, Splitting(largest=100))
    assert (labels.max(), unsplit) == (1, 1)


@pytest.mark.parametrize("size", [None, (6.0, 2.0, 2.0)])
def test_a_file_of_instances_says_how_they_were_made(tmp_path: Path, size) -> None:
    mask = balls((15, 15, 15), (15, 15, 26))
    with writing_hdf5(tmp_path / "mask.h5") as file:
        stamp(file, "segmentation")
        write_array(file, "mask", mask)
        if size is not None:
            file.attrs["voxel_size_um"] = size
    write_instances(tmp_path / "mask.h5", tmp_path / "labels.h5", Splitting(depth=0.8), block=16)
    with InstanceFile(tmp_path / "labels.h5") as found:
        expected, _, _ = instances(mask, Splitting(depth=0.8), size)
        np.testing.assert_array_equal(found.labels[()], expected)
        assert (found.method, found.depth) == ("watershed", 0.8)
        assert found.voxel_size_um == size
        assert (found.component.tolist(), found.unsplit) == ([1, 1], 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.h5", "mask.h5"]
