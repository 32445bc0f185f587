"""The shipped SLURM profile on a real SLURM: chain, requests, a killed run, a full disk, GPUs."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from cluster import Cluster, until
from mounts import mounted, remount
from training_run import CONFIG, MODEL, SCORES, TrainingRun, copied

GPU_RULES = {"pretrain", "finetune", "predict_spot_like"}


@pytest.fixture(scope="module")
def chain(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """The chain from nothing to scores, every job on SLURM."""
    run = TrainingRun(tmp_path_factory.mktemp("chain"))
    run.on_slurm(target=SCORES)
    return run


def submissions(run: TrainingRun) -> dict[str, str]:
    """The options of sbatch, by rule."""
    calls = re.findall(r"sbatch call: (sbatch .*? --wrap)", run.said)
    return {re.search(r"--comment '?rule_(\w+?)(?:_wildcards|\s)", c)[1]: c for c in calls}


def test_the_chain_on_slurm_has_the_score_tables_of_this_machine(
    chain: TrainingRun, undisturbed: TrainingRun
) -> None:
    assert chain.scores() == undisturbed.scores()


def test_gpu_rules_ask_for_gpus_cpus_memory_and_time_and_others_for_no_gpu(
    chain: TrainingRun,
) -> None:
    calls = submissions(chain)
    assert GPU_RULES | {"convert_patches", "score"} <= set(calls)
    for rule, call in calls.items():
        assert ("--gpus=1" in call) == (rule in GPU_RULES), call
        assert "--requeue" in call
    asked = calls["finetune"]
    for option in ("--mem 1500", "--cpus-per-task=1", "-t 20"):
        assert option in asked


def test_killed_run_typed_again_waits_for_its_orphan_and_takes_its_result(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    snakemake = run.start()
    first = cluster.job(run.folder, "finetune")
    run.until_saved()
    with run.suspended():  # so that the orphan is still there when the next one starts
        snakemake.kill()
        snakemake.wait()
        again = run.start()
        until(lambda: "waiting for process" in run.log, "the second trainer to wait")
    assert run.ended(again) == 0, run.said[-4000:]
    assert f"taking over from process {snakemake.pid} on " in run.said
    assert re.search(rf"waiting for process \d+ on .*SLURM job {first.id}", run.log)
    assert "taking over" not in run.log
    survived(
        run,
        "SIGKILL to the main Snakemake, the same command typed again while its job runs on",
        "cleared the dead run's lock; the new job waited for the orphan and took its result",
    )
    assert run.spend()[0] == 0


def errors(run: TrainingRun) -> list[str]:
    return [line for line in run.log.splitlines() if " error: " in line]


def test_full_disk_is_named_and_training_continues_when_there_is_space(
    cluster: Cluster, run: TrainingRun, survived
) -> None:
    disk = run.work.parent
    with mounted(disk, "-t", "tmpfs", "-o", "size=100k", "tmpfs"):
        assert run.ended(run.start("--retries", "0")) != 0
        assert re.search("No space left on device|found a full disk", errors(run)[-1])
        assert not (run.folder / MODEL).exists()
        assert not list(run.results.rglob("*.partial*"))
        remount(disk, "size=100m")
        run.on_slurm()
    survived(
        run,
        "full disk (tmpfs of 100 kB)",
        "ended with one line that names the file; the same command continued once there was space",
    )


@pytest.mark.faults
def test_two_gpus_train_in_two_processes_also_where_the_site_wants_gres(
    cluster: Cluster, undisturbed: TrainingRun, tmp_path: Path
) -> None:
    for way, options in {
        "gpu": [],
        "gres": ["--set-resources", "finetune:gpu=0", "finetune:gres='gpu:2'"],
    }.items():
        run = copied(undisturbed, tmp_path / way)
        run.config["resources"] = CONFIG["resources"] | {"training_gpus": 2}
        run.on_slurm(*options)
        flag = {"gpu": "--gpus=2", "gres": "--gres=gpu:2"}[way]
        assert flag in submissions(run)["finetune"]
        assert "training in 2 processes" in run.log
        one, two = (losses(r) for r in (undisturbed, run))
        assert two.to_numpy()[:5] == pytest.approx(one.to_numpy()[:5], rel=1e-3)
        assert run.finish().returncode == 0


def losses(run: TrainingRun) -> pd.Series:
    table = pd.read_csv(run.folder / MODEL.replace(".pt", ".tsv"), sep="\t")
    return table[table["name"] == "loss"].set_index("step")["value"]
