"""An ensemble decides by its members' margins, and says where they disagree."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from score_tables import settings, spots
from selma3d.images import Intensity, PatchFile, PatchWriter, PredictionFile
from selma3d.inference import WindowSettings, load_model, predict_cases, predict_cases_together
from selma3d.inference.cases import binarise
from selma3d.inference.ensembles import segment_together
from selma3d.ranking.track import rank_track
from selma3d.scoring.metrics.case_scores import score_case
from selma3d.system.errors import InputError
from small_models import noise, write_model

SHAPES = {"001": (20, 24, 28), "002": (10, 33, 17)}
TOGETHER = {"structure": "spots", "method": "unet", "run": "masked-nall-ens"}


@pytest.fixture
def members(tmp_path: Path):
    """Three untrained models, each with a threshold that half of the voxels pass."""
    image, models = noise(SHAPES["001"]), []
    for seed in range(3):
        path = tmp_path / f"s{seed}.pt"
        once = load_model(write_model(path, seed=seed), threads=1)
        middle = float(np.median(once.probability(image, Intensity.of(image))))
        models.append(load_model(write_model(path, seed=seed, threshold=middle), threads=1))
    return models


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    with PatchWriter(tmp_path / "cases.h5", tmp_path / "cases.tsv", "cases") as writer:
        for seed, (case, shape) in enumerate(SHAPES.items()):
            writer.add(case, noise(shape, seed)[None], None, specimen=f"mouse{seed}")
    return tmp_path / "cases.h5"


def test_mask_is_where_margins_over_the_members_thresholds_are_positive_on_average(members) -> None:
    image = noise(SHAPES["001"])
    agreed = segment_together(members, image, Intensity.of(image))
    each = [model.probability(image, Intensity.of(image)) for model in members]
    margin = np.mean([p - m.threshold for p, m in zip(each, members, strict=True)], axis=0)
    sure = np.abs(margin) > 1e-6
    np.testing.assert_array_equal(agreed.mask[sure], (margin > 0)[sure])
    np.testing.assert_allclose(agreed.probability, np.mean(each, axis=0), atol=1e-6)
    assert 0.1 < agreed.mask.mean() < 0.9


def test_an_ensemble_of_equal_models_is_that_model_and_agrees(
    tmp_path: Path, members, cases: Path
) -> None:
    alone = {"structure": "spots", "method": "unet", "run": "masked-nall-f0-s0"}
    predict_cases(members[0], cases, tmp_path / "one.h5", **alone)
    predict_cases_together(
        [members[0]] * 4, cases, tmp_path / "ens.h5", tmp_path / "ens.tsv", **TOGETHER
    )
    one, together = PredictionFile(tmp_path / "one.h5"), PredictionFile(tmp_path / "ens.h5")
    for case in SHAPES:
        np.testing.assert_array_equal(one.mask(case), together.mask(case))
        assert not together.disagreement(case).any()
        assert one.disagreement(case) is None
        assert together.probability(case) is None
    table = pd.read_csv(tmp_path / "ens.tsv", sep="\t")
    assert (table[["agreement", "lowest_agreement"]] == 1).all(axis=None)
    assert (table["disputed"] == 0).all()


def test_disagreement_is_the_share_of_pairs_of_members_that_differ(
    tmp_path: Path, members, cases: Path
) -> None:
    predict_cases_together(
        members,
        cases,
        tmp_path / "ens.h5",
        tmp_path / "ens.tsv",
        settings=WindowSettings(probability=True),
        **TOGETHER,
    )
    table = pd.read_csv(tmp_path / "ens.tsv", sep="\t", dtype={"case": str}).set_index("case")
    with PatchFile(cases) as images, PredictionFile(tmp_path / "ens.h5") as found:
        assert found.file.attrs["run"] == TOGETHER["run"]
        for case in SHAPES:
            constants = images.intensity(case, 0)
            own = [binarise(m, m.probability(images.image(case, 0), constants)) for m in members]
            pairs = list(combinations(own, 2))
            differing = np.mean([a != b for a, b in pairs], axis=0)
            np.testing.assert_allclose(found.disagreement(case), differing, atol=1e-3)
            assert differing.any()
            dice = [
                score_case(a, b, structure_type="spot-like", profile="robust")["dice"]
                for a, b in pairs
            ]
            row = table.loc[case]
            assert row["agreement"] == pytest.approx(np.mean(dice))
            assert row["lowest_agreement"] == pytest.approx(min(dice))
            assert row["disputed"] == np.count_nonzero(differing)
            assert row["foreground"] == found.mask(case).sum()
            assert row["members"] == 3
            assert row["specimen"] == images.specimen(case)
            assert found.probability(case).shape == SHAPES[case]


def test_specks_below_the_members_median_size_are_dropped(tmp_path: Path, members) -> None:
    image = noise(SHAPES["001"])
    whole = segment_together(members, image, Intensity.of(image)).mask
    strict = [
        load_model(
            write_model(tmp_path / f"m{seed}.pt", seed=seed, threshold=m.threshold,
                        min_component_voxels=size),
        )
        for seed, (m, size) in enumerate(zip(members, (0, 10**6, 10**6), strict=True))
    ]  # fmt: skip
    assert whole.any()
    assert not segment_together(strict, image, Intensity.of(image)).mask.any()


def test_members_that_do_not_fit_together_are_named(tmp_path: Path, members, cases: Path) -> None:
    outputs = (tmp_path / "ens.h5", tmp_path / "ens.tsv")
    other = load_model(write_model(tmp_path / "b.pt", structures={"spots": {"channel": 1}}))
    with pytest.raises(InputError, match=r"b.pt: structures.spots.channel: expected 0 as in"):
        predict_cases_together([*members, other], cases, *outputs, **TOGETHER)
    with pytest.raises(InputError, match="expected at least two models, found 1"):
        predict_cases_together(members[:1], cases, *outputs, **TOGETHER)
    with pytest.raises(InputError, match="expected a model for 'vessel', found one for spots"):
        predict_cases_together(members, cases, *outputs, **TOGETHER | {"structure": "vessel"})
    assert not any(output.exists() for output in outputs)


def test_an_ensemble_is_ranked_and_changes_nothing_that_is_said_of_seeds() -> None:
    random = np.random.default_rng(0)
    trained = [
        spots("unet", random.random(8), init=init, seed=seed)
        for init in ("scratch", "masked")
        for seed in range(3)
    ]
    ensembles = [
        spots("unet", random.random(8), init=init) for init in ("scratch-ens", "masked-ens")
    ]
    without, tables = (
        rank_track(pd.concat(runs), settings(), track="per-type")
        for runs in (trained, trained + ensembles)
    )
    for name in ("gains", "gains_by_specimen"):
        pd.testing.assert_frame_equal(tables[name], without[name])
    means = ["init", "metric", "mean", "sd", "low", "high"]
    single = tables["by_metric"][~tables["by_metric"]["init"].str.endswith("-ens")]
    pd.testing.assert_frame_equal(
        single[means].reset_index(drop=True), without["by_metric"][means].reset_index(drop=True)
    )
    board = tables["leaderboard"].set_index("init")
    assert set(board.index) == {"scratch", "masked", "scratch-ens", "masked-ens"}
    assert "one ensemble" in board.loc["masked-ens", "note"]
    assert "one seed" not in board["note"].str.cat()
