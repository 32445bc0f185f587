"""References of cases: oracle threshold, moved label, chance; on masks with known answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from selma3d.images import PatchWriter
from selma3d.scoring.metrics.case_scores import score_case
from selma3d.scoring.metrics.prepared import PreparedMask
from selma3d.scoring.references import (
    REFERENCE_COLUMNS,
    case_references,
    chance_centroid_f1,
    moved_dice,
    oracle_threshold,
    read_references,
    reference_table,
)
from selma3d.system.atomic import write_table


def dice(truth: np.ndarray, prediction: np.ndarray) -> float:
    return 2 * (truth & prediction).sum() / (truth.sum() + prediction.sum())


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.uint16, np.float32]))
def test_oracle_equals_the_best_of_all_thresholds_tried_one_by_one(seed: int, kind: type) -> None:
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 12, (4, 5, 6)).astype(kind)
    truth = image + generator.normal(0, 3, image.shape) > 8
    truth[0, 0, 0] = True
    threshold, best = oracle_threshold(image, truth)
    assert best == pytest.approx(max(dice(truth, image >= t) for t in np.unique(image)))
    assert best == pytest.approx(dice(truth, image >= threshold))


def test_moved_label_of_a_cube_is_known() -> None:
    cube = np.zeros((20, 20, 20), bool)
    cube[5:10, 5:10, 5:10] = True
    assert moved_dice(cube) == pytest.approx(0.8)  # four of five planes stay
    slab = np.zeros((20, 20, 20), bool)
    slab[:, :, 4:8] = True  # the image's ends are unknown, not empty
    assert moved_dice(slab) == pytest.approx((1 + 1 + 0.75) / 3)


def test_moved_label_is_the_mean_over_six_directions() -> None:
    label = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(16,) * 3), 2) > 0.05
    label[[0, -1]] = label[:, [0, -1]] = label[:, :, [0, -1]] = False
    moved = [np.roll(label, step, axis) for axis in range(3) for step in (-1, 1)]
    expected = np.mean([dice(label, other) for other in moved])
    assert moved_dice(label) == pytest.approx(expected, abs=1e-3)
    one_plane = label[8:9]
    assert 0 < moved_dice(one_plane) < 1


def test_chance_is_the_share_of_space_that_is_in_reach_of_an_object() -> None:
    mask = np.zeros((40, 40, 40), bool)
    mask[20, 20, 20] = True
    unknown = chance_centroid_f1(PreparedMask(mask), None)
    assert unknown <= 0.15  # a ball of 5 voxels is 0.8 % of the image
    assert chance_centroid_f1(PreparedMask(mask), (0.2, 0.2, 0.2)) == 1  # all within 10 um
    assert unknown == chance_centroid_f1(PreparedMask(mask), None)


def test_the_oracle_s_further_scores_are_those_of_its_mask() -> None:
    generator = np.random.default_rng(1)
    truth = ndimage.gaussian_filter(generator.normal(size=(20, 20, 20)), 2) > 0.1
    image = (1000 + 500 * truth + generator.normal(0, 200, truth.shape)).astype(np.uint16)
    found = case_references(image, truth, (2.0, 1.0, 1.0))
    mask = image >= found["oracle_threshold"]
    scored = score_case(truth, mask, structure_type="spot-like", profile="robust")
    assert found["oracle_dice"] == pytest.approx(scored["dice"])
    assert found["oracle_tolerant_dice"] > found["oracle_dice"]
    assert found["objects"] == PreparedMask(truth).objects


def test_table_has_a_row_a_case_with_a_truth_and_survives_writing(tmp_path: Path) -> None:
    image, mask = np.zeros((1, 8, 8, 8), np.uint16), np.zeros((8, 8, 8), np.uint8)
    image[0, 2:4, 2:4, 2:4] = 9
    mask[2:4, 2:4, 2:4] = 1
    with PatchWriter(tmp_path / "c.h5", tmp_path / "c.tsv", "cases") as writer:
        writer.add("007", image, mask, "brain 1", (2.0, 1.0, 1.0))
        writer.add("008", image, np.zeros_like(mask), "", None)
        writer.add("009", image, None, "", None)
    table = reference_table(tmp_path / "c.h5", "cfos", 0)
    assert tuple(table.columns) == REFERENCE_COLUMNS
    assert table["case"].tolist() == ["007", "008"]
    assert table["oracle_dice"].tolist()[0] == 1 and pd.isna(table["oracle_dice"].iloc[1])
    assert table["length_unit"].tolist() == ["µm", "voxels"]
    write_table(table, tmp_path / "references.tsv")
    read = read_references([tmp_path / "references.tsv"])
    assert read["case"].tolist() == ["007", "008"]
    assert read["specimen"].tolist() == ["brain 1", ""]


def test_labels_of_dense_real_c_fos_are_beyond_any_threshold(real_data: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    folder = real_data / "selma3d_test" / "cfos"
    (raw,) = folder.glob("raw/*001*")
    (label,) = folder.glob("gt/*001*")
    image, mask = (np.squeeze(np.asanyarray(nibabel.load(path).dataobj)).T for path in (raw, label))
    found = case_references(image, mask > 0, None)
    assert found["oracle_dice"] < 0.3 < 0.55 < found["moved_dice"]
