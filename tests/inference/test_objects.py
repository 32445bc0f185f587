"""Objects of a volume that is read block by block are those of the whole volume."""

from __future__ import annotations

import math
from pathlib import Path

import cc3d
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selma3d.inference import WindowSettings, load_model, segment_volume
from selma3d.inference.components import stitch
from selma3d.inference.density import density_map
from selma3d.inference.instances import Splitting, label_instances, write_instances
from selma3d.inference.objects import measure_objects, object_table
from selma3d.inference.vessels import vessel_table
from selma3d.system.errors import InputError
from small_models import write_model, write_noise

WHOLE = Splitting("components")
BOX = ["z_start", "z_stop", "y_start", "y_stop", "x_start", "x_stop"]


def objects_of(
    mask: np.ndarray,
    image: np.ndarray,
    size: tuple[float, float, float] | None,
    edges: tuple[int, int, int] = (256, 256, 256),
) -> pd.DataFrame:
    """The connected components of a mask as a table."""
    labels, parts = np.zeros(mask.shape, np.uint32), np.zeros(mask.shape, np.uint32)
    component, _ = label_instances(mask, labels, parts, WHOLE, size, edges)
    return object_table(labels, len(component), image, size, edges)


def reference(mask: np.ndarray, image: np.ndarray) -> pd.DataFrame:
    """Components of the whole volume by cc3d, in scan order of their first voxel."""
    labels = cc3d.connected_components(mask, connectivity=26)
    rows = []
    for label in dict.fromkeys(labels[labels > 0].tolist()):
        voxels = np.argwhere(labels == label)
        low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
        rows.append(
            [*voxels.mean(axis=0), len(voxels), *np.stack([low, high], 1).ravel(),
             image[labels == label].mean(), image[labels == label].max()]
        )  # fmt: skip
    grey = ["mean_intensity", "max_intensity"]
    return pd.DataFrame(rows, columns=["z", "y", "x", "voxels", *BOX, *grey])


@settings(max_examples=120, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 24)] * 3),
    edges=st.tuples(*[st.integers(1, 13)] * 3),
    density=st.sampled_from([0.0, 0.02, 0.08, 0.15, 0.4, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_objects_equal_those_of_the_whole_volume_however_it_is_cut(
    shape, edges, density: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    mask = (random.random(shape) < density).astype(np.uint8)
    image = random.integers(0, 60000, shape).astype(np.uint16)
    found = objects_of(mask, image, None, edges)
    expected = reference(mask, image)
    assert found["id"].tolist() == list(range(1, len(expected) + 1))
    for column in ("voxels", *BOX):
        assert found[column].tolist() == expected[column].tolist()
    for column in ("z", "y", "x", "mean_intensity", "max_intensity"):
        np.testing.assert_allclose(found[column], expected[column].astype(float), rtol=1e-12)


def test_the_same_table_to_the_last_bit_however_it_is_cut() -> None:
    random = np.random.default_rng(1)
    mask = (random.random((30, 31, 32)) < 0.1).astype(np.uint8)
    image = random.integers(0, 60000, mask.shape).astype(np.uint16)
    tables = [objects_of(mask, image, (2.0, 1, 1), e) for e in [(30, 31, 32), (7, 9, 4)]]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_voxels_that_touch_by_a_corner_across_eight_blocks_are_one_object() -> None:
    mask = np.zeros((8, 8, 8), np.uint8)
    mask[3, 3, 3] = mask[4, 4, 4] = 1
    assert stitch(mask, edges=(4, 4, 4)).voxels.tolist() == [2]


def test_rows_of_a_plane_do_not_touch_where_one_ends_and_the_next_begins() -> None:
    mask = np.zeros((8, 8, 8), np.uint8)
    mask[3, 3, 7] = mask[4, 4, 0] = 1
    assert stitch(mask, edges=(4, 8, 8)).voxels.tolist() == [1, 1]


def test_blocks_of_a_single_row_are_labelled() -> None:
    mask = np.zeros((1, 1, 11), np.uint8)
    mask[..., ::2] = 1
    assert stitch(mask, edges=(1, 1, 7)).voxels.tolist() == [1] * 6


def test_micrometres_need_a_voxel_size() -> None:
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[1:3, 2, 2] = 1
    known = objects_of(mask, mask, (6.0, 2.0, 1.5)).iloc[0]
    assert (known["z"], known["z_um"], known["x_um"]) == (1.5, 9.0, 3.0)
    assert known["volume_um3"] == 2 * 6 * 2 * 1.5
    unknown = objects_of(mask, mask, None).iloc[0]
    assert math.isnan(unknown["z_um"])
    assert math.isnan(unknown["volume_um3"])


def test_an_empty_mask_has_a_table_without_rows() -> None:
    empty = objects_of(*np.zeros((2, 9, 9, 9), np.uint8), None, (4, 4, 4))
    assert len(empty) == 0
    assert "mean_intensity" in empty.columns
    assert len(vessel_table(np.zeros((9, 9, 9), np.uint8), None)) == 0


def test_mask_of_another_volume_is_refused(tmp_path: Path) -> None:
    model = load_model(write_model(tmp_path / "model.pt"), threads=1)
    volume = write_noise(tmp_path, (20, 30, 30))
    segment_volume(
        model,
        volume,
        tmp_path / "out.h5",
        work=tmp_path / "work",
        structure="spots",
        settings=WindowSettings(),
    )
    labels = tmp_path / "labels.h5"
    write_instances(tmp_path / "out.h5", labels, Splitting(), block=16)
    table = measure_objects(labels, volume, channel=0, block=16)
    assert table["voxels"].sum() > 0
    (tmp_path / "other").mkdir()
    other = write_noise(tmp_path / "other", (20, 30, 31))
    with pytest.raises(InputError, match=r"expected shape \(20, 30, 31\)"):
        measure_objects(labels, other, channel=0)


def test_objects_at_a_face_of_the_volume_are_marked() -> None:
    mask = np.zeros((9, 9, 9), np.uint8)
    mask[4, 4, 4] = mask[0, 0, 4] = mask[6, 2, 8] = 1
    found = objects_of(mask, mask, None, (5, 5, 5))
    assert found["border"].tolist() == [1, 0, 1]


def test_a_density_map_counts_the_objects_of_each_box() -> None:
    random = np.random.default_rng(0)
    places = random.uniform(-0.5, [39.5, 59.5, 69.5], (400, 3))
    objects = pd.DataFrame(places, columns=["z", "y", "x"])
    found = density_map(objects, (40, 60, 70), (5.0, 2.0, 2.0), edge_um=50)
    assert found.edges == (10, 25, 25)
    assert found.values.shape == (4, 3, 3)
    inside = ((places + 0.5) // [10, 25, 25] == [3, 2, 0]).all(axis=1).sum()
    voxels = 10 * 10 * 25  # the last boxes along y are 10 voxels high
    assert found.values[3, 2, 0] == pytest.approx(inside / (voxels * 5 * 2 * 2 / 1e9))
    assert found.geometry.voxel_size_um == (50.0, 50.0, 50.0)
    unknown = density_map(objects, (40, 60, 70), None, edge_um=50)
    assert unknown.edges == (32, 32, 32)
    assert unknown.geometry.voxel_size_um is None


def straight_vessel() -> np.ndarray:
    """A tube of radius 3 along x."""
    mask = np.zeros((40, 40, 120), np.uint8)
    z, y = np.ogrid[:40, :40]
    mask[(z - 20) ** 2 + (y - 20) ** 2 <= 9] = 1
    return mask


def test_lengths_of_blocks_add_up_to_that_of_the_whole() -> None:
    mask = straight_vessel()
    blocks = vessel_table(mask, (1.0, 1.0, 2.0), edge=32, halo=16)
    whole = vessel_table(mask, (1.0, 1.0, 2.0), edge=128, halo=0)
    assert len(blocks) == 4
    assert blocks["length"].sum() == pytest.approx(whole["length"].item())
    assert whole["length"].item() == pytest.approx(2.0 * 119, rel=0.1)
    assert whole["unit"].item() == "um"


def test_radius_is_the_distance_to_the_background() -> None:
    table = vessel_table(straight_vessel(), None, edge=64, halo=16)
    assert table["mean_radius"].between(3, 4).all()
    assert (table["unit"] == "voxel").all()
