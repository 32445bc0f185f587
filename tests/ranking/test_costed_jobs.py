"""An entrant costs what its own jobs cost, and those that its models are made with."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from selma3d.challenge import Challenge
from selma3d.challenge.config import layer
from selma3d.challenge.layout import Layout
from selma3d.ranking.costed_jobs import CostedJob, costed_jobs, counted_models


@pytest.fixture
def demo(repository: Path):
    """The demo with one recipe and one method of its own rules, some keys changed."""

    def challenge(**changes: object) -> Challenge:
        config = yaml.safe_load((repository / "config/config.yaml").read_text())
        config = layer(config, yaml.safe_load((repository / "config/demo.yaml").read_text()))
        few = {"methods": ["unet", "threshold"], "budgets": ["all"], "seeds": [0, 1]}
        return Challenge.of(layer(config, few | changes), repository)

    return challenge


def of_stage(jobs: list[CostedJob], stage: str) -> set[tuple[str, str]]:
    """(init, name of the benchmark) of the jobs of a stage."""
    return {(job.init, Path(job.benchmark).name) for job in jobs if job.stage == stage}


def test_a_pretraining_counts_for_the_entrant_that_starts_from_it(demo) -> None:
    jobs = costed_jobs(demo(), Layout("results"), "per-type")
    assert of_stage(jobs, "pretrain") == {("masked", "masked-s0.tsv"), ("masked", "masked-s1.tsv")}
    assert {init for init, _ in of_stage(jobs, "finetune")} == {"scratch", "masked"}


def test_the_trainings_of_an_ensembles_members_count_for_it_too(demo) -> None:
    jobs = costed_jobs(demo(predict={"ensemble": True}), Layout("results"), "per-type")
    assert {init for init, _ in of_stage(jobs, "pretrain")} == {"masked", "masked-ens"}
    assert ("masked-ens", "masked-nall-f0-s1.tsv") in of_stage(jobs, "finetune")
    assert ("masked-ens", "masked-nall-f0-s1.tsv") not in of_stage(jobs, "predict")
    assert ("masked-ens", "masked-nall-ens.tsv") in of_stage(jobs, "predict")


def test_a_methods_own_rules_are_found_by_its_name(demo) -> None:
    jobs = costed_jobs(demo(), Layout("results"), "per-type")
    own = [job for job in jobs if job.method == "threshold"]
    assert own == [CostedJob("threshold", "default", "segment", "threshold/**/*.tsv")]


def test_each_track_has_the_costs_of_its_own_models(demo) -> None:
    challenge = demo(tracks=["per-type", "one-model"])
    benchmarks = {
        track: {
            job.benchmark
            for job in costed_jobs(challenge, Layout("results"), track)
            if job.method == "unet"
        }
        for track in ("per-type", "one-model")
    }
    assert benchmarks["per-type"]
    assert benchmarks["one-model"]
    assert not benchmarks["per-type"] & benchmarks["one-model"]


def test_a_partial_challenge_costs_what_is_finished(demo, tmp_path: Path) -> None:
    layout = Layout(str(tmp_path), partial=True)
    assert of_stage(costed_jobs(demo(), layout, "per-type"), "finetune") == set()
    assert counted_models(demo(), layout, "per-type") == {}
    folder = tmp_path / "models/unet/spot-like"
    folder.mkdir(parents=True)
    for suffix in ("tsv", "pt"):
        (folder / f"masked-nall-f0-s1.{suffix}").touch()
    jobs = costed_jobs(demo(), layout, "per-type")
    assert of_stage(jobs, "finetune") == {("masked", "masked-nall-f0-s1.tsv")}
    assert counted_models(demo(), layout, "per-type") == {"unet": f"{folder}/masked-nall-f0-s1.pt"}
