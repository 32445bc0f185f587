"""Claims about what a challenge is said to cost: measured, given or counted, with a range."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from selma3d.challenge import Challenge
from selma3d.challenge.config import read_config
from selma3d.challenge.participants import encoders_of, models_of
from selma3d.challenge.recipe import Network
from selma3d.learning import flops, networks
from selma3d.monitor import estimate as estimates
from selma3d.monitor.disk import Files, weights_bytes
from selma3d.monitor.estimate import START, Estimate
from selma3d.monitor.estimate_text import as_text
from selma3d.monitor.peer_operations import of_training
from selma3d.monitor.speeds import FILE, read_speeds
from selma3d.system.errors import InputError

# Few enough to count by hand.
GRID = {"methods": ["unet", "segresnet", "threshold"], "budgets": [2, "all"], "seeds": [0]}


def estimated(repository: Path, results: Path, **keys: object) -> Estimate:
    config = read_config(repository, [repository / "config/demo.yaml"], GRID | keys)
    return Estimate(Challenge(config, repository), results, read_speeds(repository / FILE))


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


def test_an_ensemble_costs_a_prediction_by_each_of_its_models(repository, tmp_path):
    keys = {"predict": {"ensemble": True}, "seeds": [0, 1], "methods": ["unet"]}
    estimate = estimated(repository, tmp_path, **keys)
    single = kind(estimate, "predict", "unet", "masked")
    joined = kind(estimate, "predict", "unet", "masked-ens")
    assert joined.jobs == single.jobs / 2
    assert joined.operations == pytest.approx(2 * single.operations)


def test_nothing_measured_is_counted_and_divided_by_the_speed_of_the_gpu(repository, tmp_path):
    estimate = estimated(repository, tmp_path, resources={"gpu": 1})
    seen = kind(estimate, "pretrain", "unet", "masked")
    recipe = Challenge(
        read_config(repository, [repository / "config/demo.yaml"], GRID), repository
    ).methods["unet"].recipe  # fmt: skip
    operations = recipe.pretexts["masked"].steps * flops.of_pretraining(
        recipe.pretraining("masked")
    )
    speed = estimate.speed.tflops
    assert estimate.speed.name == next(iter(read_speeds(repository / FILE)))
    assert seen.seconds.likely == pytest.approx(START + operations / speed.likely / 1e12)
    assert seen.seconds.high - START == pytest.approx(operations / speed.low / 1e12)
    assert seen.source == "counted, A100 assumed"


def test_hours_are_told_with_a_range_for_each_gpu_and_nothing_is_unknown(repository, tmp_path):
    estimate = estimated(repository, tmp_path, resources={"gpu": 1})
    text = as_text(estimate)
    hours = estimate.gpu_hours()
    assert 0 < hours.low < hours.likely < hours.high
    for name, speed in read_speeds(repository / FILE).items():
        assert (f"on {name} " in text) == (speed.kind == "gpu")
    assert "unknown" not in text


@pytest.mark.parametrize("config", ["config.yaml", "demo.yaml", "real.yaml", "selma2026.yaml"])
def test_every_file_that_is_to_be_made_has_a_size(repository, tmp_path, config):
    settings = read_config(repository, [repository / "config" / config], {"methods": ["unet"]})
    estimate = Estimate(Challenge(settings, repository), tmp_path, read_speeds(repository / FILE))
    for files in estimate.disk():
        assert bool(files.size) == bool(files.to_make), files


def test_the_volumes_of_2024_take_the_room_that_their_organisers_state(repository, tmp_path):
    settings = read_config(repository, [], {"edition": "selma2024", "methods": ["unet"]})
    estimate = Estimate(Challenge(settings, repository), tmp_path, read_speeds(repository / FILE))
    archives = next(each for each in estimate.disk() if each.what == "archives")
    assert archives.size > 70e9


def test_a_measured_recipe_gives_the_speed_of_the_others(repository, tmp_path):
    make(tmp_path / "throughput/unet/masked.tsv", "steps_per_s\tadvice\n5\t1\n")
    estimate = estimated(repository, tmp_path, resources={"gpu": 1})
    assert estimate.speed.basis == "measured"
    assert kind(estimate, "pretrain", "unet", "masked").source == "rule throughput"
    other = kind(estimate, "pretrain", "segresnet", "masked")
    assert other.source == "counted, A100 measured"
    assert other.seconds.high / other.seconds.low < 1.5


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("X\tgpu\t3\t2\t4\tassumed\t", "expected TFLOP/s above 0 that rise, found 3, 2, 4"),
        ("X\tgpu\tfast\t2\t4\tassumed\t", "found fast, 2, 4"),
        ("X\tgpu\t1\t2\tinf\tassumed\t", "found 1, 2, inf"),
        ("X\ttpu\t1\t2\t4\tassumed\t", "expected gpu or cpu, found 'tpu'"),
        ("X\tgpu\t1\t2\t4\tguessed\t", "expected assumed or measured, found 'guessed'"),
        ("A100\tgpu\t1\t2\t4\tassumed\t", "expected each once, found 'A100' again"),
    ],
)
def test_a_wrong_line_of_speeds_is_named(repository, tmp_path, line, said):
    make(tmp_path / "speeds.tsv", (repository / FILE).read_text() + line + "\n")
    with pytest.raises(InputError, match=r"speeds\.tsv: line 10: ") as caught:
        read_speeds(tmp_path / "speeds.tsv")
    assert said in str(caught.value)


def test_nnunet_at_its_defaults_takes_what_its_authors_tell():
    settings = {"features": [32, 320], "gpu_memory_gb": 8, "mirrored": True}
    settings |= {"epochs": 1000, "iterations": 250, "validation_iterations": 50}
    operations = of_training("nnunet", settings)
    # A batch of two windows of 128³ through its 31 million weights, forward: 1.9 TFLOP.
    assert operations == pytest.approx(1000 * (3 * 250 + 50) * 1.9e12, rel=0.05)


def test_given_steps_per_second_are_used_where_nothing_is_measured(repository, tmp_path):
    rate = 0.5
    keys = {"resources": {"gpu": 1, "training_gpus": 2}, "throughput": {"unet": {"masked": rate}}}
    estimate = estimated(repository, tmp_path, **keys)
    demo = yaml.safe_load((repository / "config/demo.yaml").read_text())
    steps = demo["recipe_overrides"]["unet"]["pretexts"]["masked"]["steps"]
    seen = kind(estimate, "pretrain", "unet", "masked")
    assert seen.source == "config: throughput"
    assert seen.gpu_hours.likely == pytest.approx(2 * seen.to_do * steps / rate / 3600)
    gpus = {each.stage: each.gpus for each in estimate.kinds if each.method == "unet"}
    assert gpus == {"pretrain": 2, "finetune": 2, "predict": 1, "segment_volume": 1}


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
    assert seen.seconds.likely == pytest.approx(1800)


def test_finished_jobs_win_over_everything_and_count_all_attempts(repository, tmp_path):
    finished_encoder(tmp_path, seconds=7200)
    estimate = estimated(
        repository, tmp_path, resources={"gpu": 1}, throughput={"unet": {"masked": 1}}
    )
    seen = kind(estimate, "pretrain", "unet", "masked")
    assert seen.source == "measured on 1 jobs"
    assert (seen.jobs, seen.to_do, seen.seconds.likely) == (2, 1, 7200)
    assert seen.gpu_hours.likely == pytest.approx(2)


@pytest.mark.parametrize("method", ["nnunet", "cellpose", "wnet3d"])
def test_methods_of_other_packages_that_take_a_gpu_count_as_gpu_jobs(repository, tmp_path, method):
    estimate = estimated(repository, tmp_path, methods=["unet", method], resources={"gpu": 1})
    own = [each for each in estimate.kinds if each.method == method and each.stage != "score"]
    assert sum(each.to_do for each in own) > 0
    assert {each.gpus for each in own} == {1}
    assert all(each.gpu_hours.low > 0 for each in own)


def test_disk_follows_from_the_files_that_are_there(repository, tmp_path):
    finished_encoder(tmp_path, seconds=1)
    estimate = estimated(repository, tmp_path, methods=["unet"])
    files = {each.what: each for each in estimate.disk()}
    expected = Files("encoders", to_make=1, size=5000, source="files that are there")
    assert files["encoders"] == expected
    assert files["volumes"].source == "voxels"


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
    keys = {"results": str(tmp_path / "results"), "methods": ["unet"]}
    make(tmp_path / "c.yaml", yaml.safe_dump(keys))
    assert estimates.main([str(tmp_path / "c.yaml"), "--gpu", "H100"]) == 0
    told = capsys.readouterr().out
    assert "jobs to do: " in told
    assert "on H100 (assumed)" in told
    assert estimates.main([str(tmp_path / "c.yaml"), "--gpu", "H10"]) == 1
    assert "gpu: no 'H10'" in capsys.readouterr().err
    make(tmp_path / "c.yaml", "throughput: {unet: {masked: -1}}")
    assert estimates.main([str(tmp_path / "c.yaml")]) == 1
    assert "throughput.unet.masked" in capsys.readouterr().err
