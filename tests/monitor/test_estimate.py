"""Claims about what a challenge is said to cost: measured, given, or unknown, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from selma3d.challenge import Challenge
from selma3d.challenge.config import read_config
from selma3d.challenge.participants import encoders_of, models_of
from selma3d.challenge.recipe import Network
from selma3d.learning import networks
from selma3d.monitor import estimate as estimates
from selma3d.monitor.disk import Files, weights_bytes
from selma3d.monitor.estimate import Estimate, as_text

# Few enough to count by hand.
GRID = {"methods": ["unet", "segresnet", "threshold"], "budgets": [2, "all"], "seeds": [0]}


def estimated(repository: Path, results: Path, **keys: object) -> Estimate:
    config = read_config(repository, [repository / "config/demo.yaml"], GRID | keys)
    return Estimate(Challenge(config, repository), results)


def kind(estimate: Estimate, stage: str, method: str = "-", init: str = "-") -> estimates.Kind:
    return next(k for k in estimate.kinds if (k.stage, k.method, k.init) == (stage, method, init))


def make(path: Path, content: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def finished_encoder(results: Path, seconds: float) -> None:
    name = "unet/vessel-like/masked-s0"
    make(results / f"encoders/{name}.pt", "x" * 5000)
    make(results / f"encoders/{name}.tsv", f"step\tseconds\tname\tvalue\n9\t{seconds}\tloss\t1\n")
    make(results / f"benchmarks/pretrain/{name}.tsv", "s\tmax_rss\n10\t100\n")


def test_jobs_are_those_that_the_challenge_asks_for(repository, tmp_path):
    estimate = estimated(repository, tmp_path)
    challenge = Challenge(
        read_config(repository, [repository / "config/demo.yaml"], GRID), repository
    )
    by_stage = {
        s: sum(k.jobs for k in estimate.kinds if k.stage == s) for s in ("pretrain", "predict")
    }
    assert by_stage["pretrain"] == len(list(encoders_of(challenge)))
    assert by_stage["predict"] == len(list(models_of(challenge)))


def test_nothing_measured_is_unknown_and_named(repository, tmp_path):
    estimate = estimated(repository, tmp_path, resources={"gpu": 1})
    assert kind(estimate, "finetune", "unet", "masked").gpu_hours is None
    text = as_text(estimate)
    assert "GPU hours: 0.0 known" in text
    unknown = [each for each in estimate.kinds if each.gpu_hours is None]
    jobs = sum(each.to_do for each in unknown)
    assert f"GPU hours unknown of {jobs} jobs of {len(unknown)} kinds" in text


def test_given_steps_per_second_are_used_where_nothing_is_measured(repository, tmp_path):
    rate = 0.5
    keys = {"resources": {"gpu": 1, "training_gpus": 2}, "throughput": {"unet": {"masked": rate}}}
    estimate = estimated(repository, tmp_path, **keys)
    demo = yaml.safe_load((repository / "config/demo.yaml").read_text())
    steps = demo["recipe_overrides"]["unet"]["pretexts"]["masked"]["steps"]
    seen = kind(estimate, "pretrain", "unet", "masked")
    assert seen.source == "config: throughput"
    assert seen.gpu_hours == pytest.approx(2 * seen.to_do * steps / rate / 3600)


def test_table_of_the_rule_throughput_wins_over_what_is_given(repository, tmp_path):
    table = "precision\tsteps_per_s\tadvice\nfp32\t3\t0\nbf16\t4\t1\n"
    make(tmp_path / "throughput/unet/masked.tsv", table)
    keys = {
        "resources": {"gpu": 1},
        "recipe_overrides": {"unet": {"pretexts": {"masked": {"steps": 7200}}}},
    }
    seen = kind(
        estimated(repository, tmp_path, **keys, throughput={"unet": {"masked": 1}}),
        "pretrain",
        "unet",
        "masked",
    )
    assert seen.source == "rule throughput"
    assert seen.seconds == pytest.approx(1800)


def test_finished_jobs_win_over_everything_and_count_all_attempts(repository, tmp_path):
    finished_encoder(tmp_path, seconds=7200)
    estimate = estimated(
        repository, tmp_path, resources={"gpu": 1}, throughput={"unet": {"masked": 1}}
    )
    seen = kind(estimate, "pretrain", "unet", "masked")
    assert seen.source == "measured on 1 jobs"
    assert (seen.jobs, seen.to_do, seen.seconds) == (2, 1, 7200)
    assert seen.gpu_hours == pytest.approx(2)


@pytest.mark.parametrize("method", ["nnunet", "cellpose", "wnet3d"])
def test_methods_of_other_packages_that_take_a_gpu_count_as_gpu_jobs(repository, tmp_path, method):
    estimate = estimated(repository, tmp_path, methods=["unet", method], resources={"gpu": 1})
    own = [each for each in estimate.kinds if each.method == method and each.stage != "score"]
    assert sum(each.to_do for each in own) > 0
    assert {each.gpus for each in own} == {1}
    assert all(each.gpu_hours is None for each in own)  # unknown, not nothing


def test_disk_follows_from_the_files_that_are_there(repository, tmp_path):
    finished_encoder(tmp_path, seconds=1)
    estimate = estimated(repository, tmp_path, methods=["unet"])
    files = {each.what: each for each in estimate.disk()}
    expected = Files("encoders", to_make=1, size=5000, source="files that are there")
    assert files["encoders"] == expected
    assert files["volumes"].size is None


def test_a_model_that_is_not_there_is_as_large_as_its_network(repository, tmp_path):
    estimate = estimated(repository, tmp_path, methods=["unet"])
    recipe = yaml.safe_load((repository / "config/methods/unet.yaml").read_text())["recipe"]
    network = networks.build(
        Network(**recipe["production"]["network"] | recipe["small"]["network"])
    )
    torch.save(network.state_dict(), tmp_path / "model.pt")
    models = next(each for each in estimate.disk() if each.what == "models")
    assert models.source == "networks"
    assert models.size / models.to_make == pytest.approx(
        (tmp_path / "model.pt").stat().st_size, rel=0.1
    )


@pytest.mark.parametrize("size", ["small", "production"])
def test_every_network_of_the_challenge_can_be_weighed(repository, tmp_path, size):
    challenge = Challenge(read_config(repository, [], {"size": size}), repository)
    for method in challenge.recipes:
        assert weights_bytes(challenge.methods[method].recipe.network) > 10_000


def test_command_prints_the_estimate_and_refuses_bad_input(tmp_path, capsys):
    make(tmp_path / "c.yaml", yaml.safe_dump({"results": str(tmp_path / "results")}))
    assert estimates.main([str(tmp_path / "c.yaml")]) == 0
    assert "jobs to do: " in capsys.readouterr().out
    make(tmp_path / "c.yaml", "throughput: {unet: {masked: -1}}")
    assert estimates.main([str(tmp_path / "c.yaml")]) == 1
    assert "throughput.unet.masked" in capsys.readouterr().err
