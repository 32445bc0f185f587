"""Classical filters: what they find, and that their numbers come from training patches alone."""

from __future__ import annotations

import cc3d
import numpy as np
import pandas as pd
import pytest
from skimage.filters import sato

from selma3d.challenge.source import Source
from selma3d.images import PatchWriter, PredictionFile
from selma3d.images.splits import COLUMNS
from selma3d.methods.cases import CasesToSegment
from selma3d.methods.classical import ridges
from selma3d.methods.classical.choice import choose, dice, segment_cases, settings_of
from selma3d.methods.classical.ridges import Ridges
from selma3d.methods.classical.spots import Spots, SpotsGrid


def balls(centres, radius, shape=(32, 40, 40)):
    grid = np.indices(shape)
    mask = np.zeros(shape, np.uint8)
    for centre in centres:
        distance = sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True))
        mask[distance <= radius**2] = 1
    return mask


def photographed(mask, seed, *, signal=400, background=300):
    """Uneven background, noise, and the mask on top."""
    generator = np.random.default_rng(seed)
    slope = np.linspace(0, background, mask.shape[2])
    return (100 + slope + signal * mask.astype(float) + generator.normal(0, 20, mask.shape)).astype(
        np.uint16
    )


def test_spots_are_found_on_an_uneven_background_that_no_threshold_parts():
    truth = balls([(8, 8, 6), (16, 20, 20), (24, 30, 34)], 3)
    image = photographed(truth, 0, signal=150)
    spots = Spots(sigma=1.0, width=11, factor=3.0, min_voxels=8)
    best_threshold = max(dice((image > t).astype(np.uint8), truth) for t in range(100, 600, 5))
    found = dice(spots.cut(spots.response(image)), truth)
    assert found > 0.8 > best_threshold


def test_touching_cells_are_parted_and_single_ones_stay_whole():
    touching = balls([(16, 20, 12), (16, 20, 21)], 5)
    assert cc3d.connected_components(touching).max() == 1
    parted = Spots(0.0, 9, 1.0, 0).finish(touching)
    assert cc3d.connected_components(parted, connectivity=26).max() == 2
    assert dice(parted, touching) > 0.9
    single = balls([(16, 20, 20)], 6)
    assert np.array_equal(Spots(0.0, 9, 1.0, 0).finish(single), single)


def test_an_empty_or_constant_image_gives_an_empty_mask():
    image = np.full((16, 16, 16), 7, np.uint16)
    for setting in (Spots(1.0, 5, 1.0, 0), Ridges((1.0,), 98, 90, 0)):
        mask = setting.finish(setting.cut(setting.response(image)))
        assert mask.dtype == np.uint8
        assert not mask.any()


def test_ridges_computed_in_blocks_equal_those_of_the_whole_image(monkeypatch):
    image = np.random.default_rng(1).normal(size=(30, 41, 37)).astype(np.float32)
    whole = sato(image, (1.0, 2.0), black_ridges=False)
    monkeypatch.setattr(ridges, "BLOCK", 16)
    assert np.allclose(Ridges((1.0, 2.0), 98, 90, 0).response(image), whole, atol=1e-5)


def test_hysteresis_follows_a_vessel_into_its_faint_part():
    image = np.random.default_rng(2).normal(0, 3, (24, 24, 60)).astype(np.float32)
    image[11:14, 11:14, :30] += 100
    image[11:14, 11:14, 30:] += 40
    setting = Ridges((1.5,), high=99.2, low=97.5, min_voxels=30)
    response = setting.response(image)
    faint = setting.cut(response)[12, 12, 32:56]
    assert faint.mean() > 0.9
    assert not (response > np.percentile(response, 99.2))[12, 12, 40:56].any()


def test_the_best_setting_on_training_patches_is_chosen_and_ties_go_to_the_first():
    truth = balls([(16, 20, 20)], 4)
    grid = {"sigma": [1.0], "width": [3, 13], "factor": [1.0], "min_voxels": [0, 1]}
    settings = settings_of(SpotsGrid.read(grid))
    assert choose(settings, [(photographed(truth, 3), truth)]) == Spots(1.0, 13, 1.0, 0)


@pytest.fixture
def challenge(tmp_path):
    """Two training patches, one validation patch that is all wrong, and a case."""
    truth = balls([(10, 10, 10), (20, 28, 28)], 3)
    with PatchWriter(tmp_path / "patches.h5", tmp_path / "patches.tsv", "patches") as patches:
        for patch, mask in [("a", truth), ("b", truth), ("v", 1 - truth)]:
            patches.add(patch, photographed(truth, 4)[None], mask, patch, None)
    with PatchWriter(tmp_path / "cases.h5", tmp_path / "cases.tsv", "cases") as cases:
        cases.add("c", photographed(truth, 5)[None], truth, "t", None)
    roles = {"a": "train", "b": "train", "v": "validation"}
    rows = [("spots", p, p, role, 0, "specimen", 0) for p, role in roles.items()]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(tmp_path / "spots.tsv", sep="\t", index=False)
    return tmp_path, truth


def test_validation_patches_have_no_say_and_two_runs_are_equal(challenge):
    folder, truth = challenge
    grid = {"sigma": [1.0], "width": [9], "factor": [0.0, 1.0], "min_voxels": [8]}
    sources = [Source("spots", folder / "patches.h5", folder / "spots.tsv", 0)]
    for name in ("one.h5", "two.h5"):
        to_segment = CasesToSegment(
            folder / "cases.h5", 0, folder / name, method="classical", structure="spots"
        )
        segment_cases(sources, to_segment, SpotsGrid.read(grid))
    with PredictionFile(folder / "one.h5") as one, PredictionFile(folder / "two.h5") as two:
        assert dice(one.mask("c"), truth) > 0.8
        assert np.array_equal(one.mask("c"), two.mask("c"))
