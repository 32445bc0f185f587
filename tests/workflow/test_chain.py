"""The whole chain on tiny phantoms: what it makes, and what a change makes again."""

from __future__ import annotations

import math
import re

import h5py
import numpy as np
import pandas as pd
import pytest

from selma3d.images import PatchFile, PredictionFile
from selma3d.scoring.metrics import metrics_of
from selma3d.scoring.metrics.case_scores import score_case
from tiny_challenge import Workflow, git

ENTRANTS = {("unet", "scratch"), ("unet", "masked"), ("threshold", "default")}
AFTER_SCORES = {"rank", "cost", "figures", "tables", "gallery", "report", "all"}


def test_every_entrant_stands_on_the_leaderboard_with_its_mean_rank(finished):
    leaderboard = pd.read_csv(finished.results / "ranking/per-type/leaderboard.tsv", sep="\t")
    assert set(zip(leaderboard["method"], leaderboard["init"], strict=True)) == ENTRANTS
    assert leaderboard["place"].min() == 1
    assert (leaderboard["missing"] == 0).all()
    assert leaderboard["mean_rank"].between(1, len(ENTRANTS)).all()


def test_scores_are_complete_and_equal_a_metric_computed_anew(finished):
    scores = pd.read_csv(
        finished.results / "scores/unet/microglia.tsv", sep="\t", dtype={"case": str}
    )
    assert set(scores["init"]) == {"scratch", "masked"}
    assert not scores["seen"].any()
    chosen = scores[(scores["init"] == "masked") & (scores["metric_profile"] == "selma2024")]
    cases = PatchFile(finished.results / "data/microglia/cases.h5")
    run = PredictionFile(finished.results / "predictions/unet/microglia/masked-nall-f0-s0.h5")
    assert set(chosen["case"]) == set(cases.ids)
    assert set(chosen["metric"]) == set(metrics_of("selma2024", "vessel-like"))
    for case in cases.ids:
        anew = score_case(
            cases.mask(case), run.mask(case), structure_type="vessel-like", profile="selma2024"
        )
        for metric, value in anew.items():
            written = chosen[(chosen["case"] == case) & (chosen["metric"] == metric)]["value"]
            assert math.isclose(written.item(), value, rel_tol=1e-9)


def test_masks_are_binary_and_on_the_grid_of_their_case(finished):
    with h5py.File(finished.results / "data/vessel/cases.h5") as cases:
        for method, run in [("unet", "scratch-nall-f0-s0"), ("threshold", "default")]:
            with h5py.File(finished.results / f"predictions/{method}/vessel/{run}.h5") as file:
                assert set(file) == set(cases)
                for case in cases:
                    mask = file[case]["mask"]
                    assert mask.dtype == np.uint8
                    assert mask.shape == cases[case]["image"].shape[1:]
                    assert set(np.unique(mask)) <= {0, 1}


def test_the_report_names_the_winner_and_embeds_its_figures(finished):
    page = (finished.results / "report.html").read_text()
    leaderboard = pd.read_csv(finished.results / "ranking/per-type/leaderboard.tsv", sep="\t")
    assert {"threshold": "Threshold", "unet": "U-Net"}[leaderboard["method"].iloc[0]] in page
    assert "Synthetic images" in page
    assert page.count("<figure") >= 8
    assert 'src="http' not in page


def test_the_gallery_has_a_card_with_scores_for_each_method(finished):
    page = (finished.results / "gallery.html").read_text()
    for method in ("unet", "threshold"):
        card = page.partition(f'<article class="card" id="{method}"')[2].partition("</article>")[0]
        assert re.search("data:image/(webp|png);base64,", card)  # whichever is smaller
        assert "Scores and cost" in card


def test_every_job_has_a_log_and_a_benchmark(finished):
    for kind in ("logs", "benchmarks"):
        rules = {path.name.removesuffix(".tsv") for path in (finished.results / kind).iterdir()}
        for rule in ("download", "convert_volume", "pretrain", "finetune", "predict", "score"):
            assert rule in rules


def test_an_unchanged_tree_rebuilds_nothing(finished):
    assert finished.planned() == {}


@pytest.fixture
def switched(copy, clone):
    """Another branch with every script and rule edited, and back; then everything touched."""
    git(clone, "checkout", "--quiet", "-B", "other")
    edited = [*clone.glob("workflow/scripts/**/*.py"), *clone.glob("workflow/rules/**/*.smk")]
    for file in edited:
        file.write_text(file.read_text() + "\n# of another branch\n")
    git(clone, "commit", "--quiet", "--all", "--message", "Another branch")
    git(clone, "checkout", "--quiet", "main")
    for file in git(clone, "ls-files").splitlines():
        (clone / file).touch()
    return Workflow(copy.folder, clone)


def test_touching_everything_and_another_branch_and_back_leave_nothing_to_be_done(switched):
    assert switched.planned() == {}
    for profile in ("local-gpu", "slurm"):
        assert switched.planned("--profile", str(switched.root / "profiles" / profile)) == {}


def content_changed(path):
    """Change one score by hand, as a corrected file would."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    rows = table["metric"] == "dice"
    table.loc[rows, "value"] = "0.123"
    table.to_csv(path, sep="\t", index=False)


def test_a_changed_score_table_remakes_what_depends_on_it_and_no_more(copy):
    content_changed(copy.results / "scores/unet/cfos.tsv")
    jobs = copy.planned()
    assert jobs["rank"] == 1
    assert set(jobs) <= AFTER_SCORES | {"panels", "case_exports"}


def test_changed_test_cases_are_predicted_and_scored_again_but_train_nothing(copy):
    with h5py.File(copy.results / "data/vessel/cases.h5", "a") as cases:
        first = cases[next(iter(cases))]["mask"]
        first[...] = 1 - first[...]
    jobs = copy.planned()
    assert jobs["predict_vessel_like"] == 2
    assert jobs["threshold_method"] == 1
    assert jobs["score"] == 2
    assert not {"pretrain", "finetune", "convert_patches", "predict_spot_like"} & set(jobs)


def test_a_corrected_conversion_trains_again_what_has_learnt_from_it(copy):
    index = copy.results / "data/cfos/patches.tsv"
    table = pd.read_csv(index, sep="\t", dtype=str, keep_default_na=False)
    table.loc[0, "sha256"] = "0" * 64
    table.to_csv(index, sep="\t", index=False)
    jobs = copy.planned()
    assert jobs["finetune"] == 2
    assert jobs["predict_spot_like"] == 2
    assert "predict_vessel_like" not in jobs


def test_a_deleted_final_output_is_remade_alone(copy):
    (copy.results / "figures/per-type/scores.png").unlink()
    assert copy.planned() == {"figures": 1, "report": 1, "all": 1}
    (copy.results / "report.html").unlink()


def test_a_changed_learning_rate_reruns_that_method_alone(copy):
    recipe = {"unet": {"finetune": {"learning_rates": [0.002]}}}
    jobs = copy.planned(recipe_overrides=recipe)
    assert jobs["finetune"] == 4
    assert "pretrain" not in jobs
    assert "threshold_method" not in jobs


def test_what_is_finished_is_ranked_and_the_rest_is_listed(copy):
    (copy.results / "predictions/unet/cfos/masked-nall-f0-s0.h5").unlink()
    ran = copy.run("--quiet", "rules", partial=True)
    assert ran.returncode == 0, ran.stderr[-4000:]
    leaderboard = pd.read_csv(copy.results / "partial/ranking/per-type/leaderboard.tsv", sep="\t")
    assert set(leaderboard["method"]) == {"unet", "threshold"}
    missing = pd.read_csv(copy.results / "partial/ranking/per-type/missing.tsv", sep="\t")
    assert "masked-nall-f0-s0" in set(missing["run"])
    assert "unet, cfos: 1 of 2 runs finished" in (copy.results / "partial/report.html").read_text()
    assert "PARTIAL" in (copy.results / "partial/figures/per-type/scores.svg").read_text()
    assert not (copy.results / "predictions/unet/cfos/masked-nall-f0-s0.h5").exists()
